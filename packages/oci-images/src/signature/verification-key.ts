import { createPublicKey, type KeyObject, verify } from "node:crypto";
import { ImageError } from "../errors.ts";

/** A public key that signatures of images are checked with. */
export interface VerificationKey {
  /** The key. */
  readonly key: KeyObject;
  /** Whether a signature of some bytes was made with its private key. */
  verify(bytes: Uint8Array, signature: Uint8Array): boolean;
}

const types: ReadonlySet<string | undefined> = new Set(["ec", "rsa", "ed25519"]);

/**
 * Reads a public key: ECDSA, RSA (both with SHA-256) or Ed25519, as `cosign generate-key-pair` writes it.
 *
 * @param pem - SubjectPublicKeyInfo in PEM.
 * @throws {@link ImageError} `OCI_INVALID_KEY`.
 */
export function parseVerificationKey(pem: string): VerificationKey {
  if (!pem.includes("-----BEGIN PUBLIC KEY-----")) {
    throw invalidKey("it is no public key in PEM");
  }
  let key: KeyObject;
  try {
    key = createPublicKey(pem);
  } catch (cause) {
    throw invalidKey("it is damaged", cause);
  }
  const type = key.asymmetricKeyType;
  if (!types.has(type)) throw invalidKey(`keys of type ${type} are not known`);
  const bits = key.asymmetricKeyDetails?.modulusLength ?? Number.POSITIVE_INFINITY;
  if (bits < 2048) throw invalidKey(`an RSA key of ${bits} bits is too short`);
  const algorithm = type === "ed25519" ? null : "sha256";
  return {
    key,
    verify: (bytes, signature) => {
      try {
        return verify(algorithm, bytes, key, signature);
      } catch {
        // Some malformed signatures throw instead of being wrong.
        return false;
      }
    },
  };
}

function invalidKey(why: string, cause?: unknown): ImageError {
  return new ImageError({
    code: "OCI_INVALID_KEY",
    message: `cannot use the verification key: ${why}`,
    hint: "it begins with -----BEGIN PUBLIC KEY-----, as cosign.pub does",
    ...(cause === undefined ? {} : { cause }),
  });
}
