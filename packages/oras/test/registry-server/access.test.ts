import { once } from "node:events";
import { type IncomingMessage, request } from "node:http";
import {
  attach,
  type Credentials,
  copy,
  MemoryTarget,
  type RegistryClientOptions,
  RemoteRepository,
} from "@box/oras";
import {
  type RegistryAuth,
  type ServedRegistry,
  type ServeRegistryOptions,
  serveRegistry,
} from "@box/oras/registry-server";
import { selfSigned } from "@box/test-support";
import { describe, expect, onTestFinished, test } from "vitest";
import { expectCode } from "../expect-code.ts";
import { sampleImage } from "../sample-image.ts";
import { testClient } from "../test-client.ts";

const image = await sampleImage();
const users = { ann: "s3cret", "bob:x": "", __proto__: "x" } as Record<string, string>;
const ann: Credentials = { type: "password", username: "ann", password: "s3cret" };

async function registry(
  auth: Omit<RegistryAuth, "users">,
  options: ServeRegistryOptions = {},
): Promise<ServedRegistry> {
  const served = await serveRegistry({ auth: { ...auth, users }, ...options });
  onTestFinished(() => served.close());
  return served;
}

function repository(
  { host }: ServedRegistry,
  credentials?: Credentials,
  name = "team/app",
  options: RegistryClientOptions = {},
): RemoteRepository {
  const known = credentials === undefined ? {} : { credentials: async () => credentials };
  return new RemoteRepository(testClient({ ...known, ...options }), host, name);
}

describe.each(["basic", "token"] as const)("a registry with %s authorization", (scheme) => {
  test("lets users push, pull and delete, and nobody else in", async () => {
    const served = await registry({ scheme });
    const mine = repository(served, ann);
    await copy(image.target, "v1", mine);
    await attach(mine, image.root, { artifactType: "application/x" });
    expect(await copy(mine, "v1", new MemoryTarget())).toEqual(image.root);
    const elsewhere = repository(served, ann, "other");
    const layer = image.layers[0];
    if (layer === undefined) throw new Error("the sample has layers");
    const bytes = { open: () => image.target.fetch(layer) };
    await elsewhere.push(layer, bytes, { mountFrom: "team/app" });
    await mine.delete("v1");
    await expectCode(mine.resolve("v1"), "OCI_NOT_FOUND");
    await expectCode(repository(served).resolve("v1"), "ORAS_AUTH_REQUIRED");
    const wrong: readonly [string, string][] = [
      ["ann", "wrong"],
      ["ann", ""],
      ["bob", ""],
      ["bob:x", ""],
      ["toString", "x"],
      ["", ""],
    ];
    for (const [username, password] of wrong) {
      const stranger = repository(served, { type: "password", username, password });
      await expectCode(stranger.resolve("v1"), "ORAS_AUTH_DENIED");
    }
  });

  test("lets everybody read where that is allowed, and nobody else write", async () => {
    const served = await registry({ scheme, anonymousPull: true });
    await copy(image.target, "v1", repository(served, ann));
    expect(await copy(repository(served), "v1", new MemoryTarget())).toEqual(image.root);
    await expectCode(copy(image.target, "v1", repository(served)), "ORAS_AUTH_REQUIRED");
    await expectCode(repository(served).delete("v1"), "ORAS_AUTH_REQUIRED");
  });

  test("lists its repositories for users only, also where everybody may read", async () => {
    for (const anonymousPull of [false, true]) {
      const served = await registry({ scheme, anonymousPull });
      await copy(image.target, "v1", repository(served, ann, "secret/project"));
      const login = { authorization: `Basic ${Buffer.from("ann:s3cret").toString("base64")}` };
      const list = async (headers: Record<string, string>): Promise<Response> => {
        if (scheme === "basic") return fetch(`${served.origin}/v2/_catalog`, { headers });
        const query = "?scope=registry:catalog:*&scope=repository:secret/project:pull";
        const reply = await fetch(`${served.origin}/token${query}`, { headers });
        const { token } = (await reply.json()) as { token: string };
        const authorization = `Bearer ${token}`;
        return fetch(`${served.origin}/v2/_catalog`, { headers: { authorization } });
      };
      const refused = await list({});
      expect(refused.status).toBe(401);
      const challenge = refused.headers.get("www-authenticate");
      if (scheme === "token") expect(challenge).toContain('scope="registry:catalog:*"');
      expect((await fetch(`${served.origin}/v2/_catalog`)).status).toBe(401);
      expect(await (await list(login)).json()).toEqual({ repositories: ["secret/project"] });
    }
  });

  test("asks for a login at its base, as clients expect that look there first", async () => {
    const served = await registry({ scheme, anonymousPull: true });
    const response = await fetch(`${served.origin}/v2/`);
    expect(response.status).toBe(401);
    const expected =
      scheme === "basic" ? /^Basic realm=/ : /^Bearer realm="http:.*\/token",service=/;
    expect(response.headers.get("www-authenticate")).toMatch(expected);
  });

  test("serves https with the given certificate", async () => {
    const tls = selfSigned();
    const served = await registry({ scheme }, { tls });
    expect(served.origin).toMatch(/^https:/);
    const hosts = { [served.host]: { scheme: "https" as const, ca: tls.cert } };
    const mine = repository(served, ann, "app", { hosts });
    await copy(image.target, "v1", mine);
    expect(await mine.resolve("v1")).toEqual(image.root);
  });
});

describe("the token server that a registry names", () => {
  async function realmFor(served: ServedRegistry, host: string): Promise<string> {
    const { port } = new URL(served.origin);
    const asking = request({ port, host: "127.0.0.1", path: "/v2/", headers: { host } });
    asking.end();
    const [response] = (await once(asking, "response")) as [IncomingMessage];
    response.resume();
    return /realm="([^"]*)"/.exec(response.headers["www-authenticate"] ?? "")?.[1] ?? "";
  }

  test("is the host that is asked, not the address that is listened to", async () => {
    const served = await registry({ scheme: "token" });
    const { port } = new URL(served.origin);
    for (const host of ["registry.test", "registry.test:8443", `localhost:${port}`, "[::1]:5000"]) {
      expect(await realmFor(served, host)).toBe(`http://${host}/token`);
    }
    for (const host of ["", 'x"y', "a/b", "user@a", "a:99999999"]) {
      expect(await realmFor(served, host)).toBe(`http://127.0.0.1:${port}/token`);
    }
    const named = repository({ ...served, host: `localhost:${port}` }, ann);
    await copy(image.target, "v1", named);
    expect(await named.resolve("v1")).toEqual(image.root);
  });

  test("is where the options say that it is", async () => {
    const publicUrl = "https://registry.example/";
    const served = await registry({ scheme: "token" }, { publicUrl });
    expect(await realmFor(served, "10.0.0.1")).toBe("https://registry.example/token");
  });

  test("speaks https when the registry does", async () => {
    const served = await registry({ scheme: "token" }, { tls: selfSigned() });
    const { port } = new URL(served.origin);
    const hosts = { [`localhost:${port}`]: { scheme: "skip-verify" as const } };
    const named = repository({ ...served, host: `localhost:${port}` }, ann, "app", { hosts });
    await copy(image.target, "v1", named);
    expect(await named.resolve("v1")).toEqual(image.root);
  });
});

describe("tokens", () => {
  const ask = (origin: string, query: string, init: RequestInit = {}): Promise<Response> =>
    fetch(`${origin}/token${query}`, init);
  const form = (fields: Record<string, string>): RequestInit => ({
    method: "POST",
    body: new URLSearchParams(fields),
  });

  test("end after five minutes, and clients fetch others", async () => {
    let now = Date.UTC(2026, 0, 1);
    const served = await registry({ scheme: "token" }, { now: () => now });
    const mine = repository(served, ann);
    await copy(image.target, "v1", mine);
    now += 301_000;
    expect(await mine.resolve("v1")).toEqual(image.root);
  });

  test("for one repository are no good for another one, nor for more actions", async () => {
    const served = await registry({ scheme: "token" });
    const basic = `Basic ${Buffer.from("ann:s3cret").toString("base64")}`;
    const { token } = (await (
      await ask(served.origin, "?scope=repository:a:pull", { headers: { authorization: basic } })
    ).json()) as { token: string };
    const tryWith = async (method: string, path: string, bearer = token): Promise<number> => {
      const headers = { authorization: `Bearer ${bearer}` };
      return (await fetch(`${served.origin}${path}`, { method, headers })).status;
    };
    expect(await tryWith("GET", "/v2/a/manifests/v1")).toBe(404);
    expect(await tryWith("GET", "/v2/b/manifests/v1")).toBe(401);
    expect(await tryWith("POST", "/v2/a/blobs/uploads/")).toBe(401);
    expect(await tryWith("DELETE", "/v2/a/manifests/v1")).toBe(401);
    const [claims = "", mac = ""] = token.split(".");
    const more = Buffer.from(
      Buffer.from(claims, "base64url").toString().replace('"a:pull"', '"b:pull"'),
    ).toString("base64url");
    expect(more).not.toBe(claims);
    for (const forged of [`${more}.${mac}`, `${claims}.`, claims, `${token}.x`, "x.y", "..."]) {
      expect(await tryWith("GET", "/v2/b/manifests/v1", forged)).toBe(401);
    }
  });

  test("are never given twice, not even within one moment", async () => {
    const served = await registry({ scheme: "token" }, { now: () => Date.UTC(2026, 0, 1) });
    const tokens = new Set<unknown>();
    for (let count = 0; count < 5; count++) {
      const { token } = (await (await ask(served.origin, "?scope=repository:a:pull")).json()) as {
        token: string;
      };
      tokens.add(token);
    }
    expect(tokens.size).toBe(5);
  });

  test("that only buy others do that, as identity tokens of a login", async () => {
    const served = await registry({ scheme: "token" });
    const login = { grant_type: "password", username: "ann", password: "s3cret" };
    const reply = await ask(served.origin, "", form({ ...login, access_type: "offline" }));
    const { refresh_token: token } = (await reply.json()) as { refresh_token: string };
    const mine = repository(served, { type: "identity-token", token });
    await copy(image.target, "v1", mine);
    const headers = { authorization: `Bearer ${token}` };
    expect((await fetch(`${served.origin}/v2/`, { headers })).status).toBe(401);
  });

  test("are refused to malformed and oversized requests", async () => {
    const served = await registry({ scheme: "token" });
    const { origin } = served;
    expect((await ask(origin, "", { method: "PUT" })).status).toBe(405);
    expect((await ask(origin, "", form({ grant_type: "password" }))).status).toBe(401);
    expect((await ask(origin, "", form({ grant_type: "x", username: "ann" }))).status).toBe(401);
    expect((await ask(origin, "", form({ grant_type: "refresh_token" }))).status).toBe(401);
    expect((await ask(origin, "", form({ x: "y".repeat(100_000) }))).status).toBe(413);
    const scopes = "?scope=repository:../x:pull&scope=registry:catalog:*&scope=x";
    const { token } = (await (await ask(origin, scopes)).json()) as { token: string };
    const claims = Buffer.from(token.split(".")[0] ?? "", "base64url").toString();
    expect(JSON.parse(claims)).toMatchObject({ user: "", grants: [] });
    const open = await serveRegistry();
    onTestFinished(() => open.close());
    expect((await fetch(`${open.origin}/token`)).status).toBe(404);
  });

  test("are told about without their secrets", async () => {
    const seen: string[] = [];
    const served = await registry(
      { scheme: "token" },
      { onRequest: ({ method, path, status }) => seen.push(`${method} ${path} ${status}`) },
    );
    await ask(served.origin, "?scope=secret");
    await fetch(`${served.origin}/v2/`);
    expect(seen).toEqual(["GET /token 200", "GET /v2/ 401"]);
  });
});
