import { generateKeyPairSync } from "node:crypto";
import { parseVerificationKey } from "@box/oci-images";
import { describe, test } from "vitest";
import { expectCode } from "../expect-code.ts";

const ours = generateKeyPairSync("ec", { namedCurve: "P-256" });
const pem = ours.publicKey.export({ type: "spki", format: "pem" }).toString();

describe("a verification key", () => {
  test.each([
    ["no key", "hello"],
    ["a private key", ours.privateKey.export({ type: "pkcs8", format: "pem" }).toString()],
    ["a damaged key", pem.replace(/[A-Za-z0-9+/]{20}/, "x")],
    [
      "a short key",
      generateKeyPairSync("rsa", { modulusLength: 1024 })
        .publicKey.export({ type: "spki", format: "pem" })
        .toString(),
    ],
    [
      "a key for something else",
      generateKeyPairSync("x25519").publicKey.export({ type: "spki", format: "pem" }).toString(),
    ],
  ])("may not be %s", async (_name, text) => {
    await expectCode(() => parseVerificationKey(text), "OCI_INVALID_KEY");
  });
});
