import { describe, expect, test } from "vitest";
import { checkRealm } from "../../src/auth/realm.ts";
import { expectCode } from "../expect-code.ts";

const hasCredentials = true;

describe("a token server", () => {
  test.each([
    ["https://registry.example", "https://registry.example/token"],
    ["https://registry-1.docker.io", "https://auth.docker.io/token"],
    ["https://a.shop.co.uk", "https://auth.shop.co.uk/token"],
    ["http://127.0.0.1:5000", "http://127.0.0.1:5001/token"],
    ["https://[::1]:5000", "https://[::1]:5001/token"],
  ])("of %s may be %s", (registry, realm) => {
    expect(checkRealm(new URL(registry), realm, { hasCredentials }).href).toBe(realm);
  });

  test.each([
    ["https://registry.example", "not a url"],
    ["https://registry.example", ""],
    ["https://registry.example", "file:///etc/passwd"],
    ["https://registry.example", "http://registry.example/token"],
    ["https://registry.example", "https://user:pass@registry.example/token"],
    ["http://registry.example", "http://other.example/token"],
    ["https://127.0.0.1:5000", "https://127.0.0.2:5000/token"],
  ])("of %s is never %j, even without credentials", async (registry, realm) => {
    const check = () =>
      checkRealm(new URL(registry), realm, { hasCredentials: realm.includes("127") });
    await expectCode(check, "ORAS_REALM_REFUSED");
  });

  test("on another site gets no credentials unless it is allowed", async () => {
    const registry = new URL("https://registry.one.example");
    const realm = "https://auth.two.example/token";
    await expectCode(() => checkRealm(registry, realm, { hasCredentials }), "ORAS_REALM_REFUSED");
    expect(checkRealm(registry, realm, { hasCredentials: false }).href).toBe(realm);
    const allowed = { hasCredentials, foreignRealms: "allow" } as const;
    expect(checkRealm(registry, realm, allowed).href).toBe(realm);
    const sameSuffix = "https://auth.evil.co.uk/token";
    await expectCode(
      () => checkRealm(new URL("https://shop.co.uk"), sameSuffix, { hasCredentials }),
      "ORAS_REALM_REFUSED",
    );
  });
});
