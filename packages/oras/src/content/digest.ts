import { createHash, type Hash } from "node:crypto";
import { OrasError } from "../errors.ts";

/** A hash function of the image specification. sha384 is read, never produced by default. */
export type DigestAlgorithm = "sha256" | "sha384" | "sha512";

/** A checked content address such as `sha256:` and 64 lower-case hexadecimal digits. Made by {@link parseDigest}. */
export type Digest = `${DigestAlgorithm}:${string}`;

const hexLengths: Readonly<Record<DigestAlgorithm, number>> = {
  sha256: 64,
  sha384: 96,
  sha512: 128,
};

/** Tells whether a text is a digest that box understands. */
export function isDigest(text: string): text is Digest {
  const colon = text.indexOf(":");
  const algorithm = text.slice(0, Math.max(colon, 0));
  if (!isAlgorithm(algorithm)) return false;
  return text.length === colon + 1 + hexLengths[algorithm] && isLowerHex(text, colon + 1);
}

/**
 * Checks a digest before any path or URL is built from it.
 *
 * @throws {@link OrasError} `OCI_INVALID_DIGEST`.
 */
export function parseDigest(text: string): Digest {
  if (isDigest(text)) return text;
  throw new OrasError({
    code: "OCI_INVALID_DIGEST",
    message: `cannot use ${JSON.stringify(text.slice(0, 160))} as a digest: expected sha256 or sha512 and lower-case hexadecimal digits`,
  });
}

/**
 * The digest that a reference pins: the reference itself, or what stands behind its last at sign. Whatever is found by it
 * must have that digest.
 */
export function pinnedDigest(reference: string): Digest | undefined {
  const digest = reference.slice(reference.lastIndexOf("@") + 1);
  return isDigest(digest) ? digest : undefined;
}

/**
 * Refuses to let a name stand for content that has not the digest that it pins.
 *
 * @throws {@link OrasError} `OCI_INVALID_REFERENCE`.
 */
export function validateName(reference: string, digest: Digest): void {
  const pinned = pinnedDigest(reference);
  if (pinned === undefined || pinned === digest) return;
  throw new OrasError({
    code: "OCI_INVALID_REFERENCE",
    message: `cannot name ${digest} ${JSON.stringify(reference.slice(0, 300))}: the name pins another digest`,
    details: { reference, digest },
    hint: "a digest cannot be chosen: name a tag",
  });
}

/** The part of a digest before the colon. */
export function digestAlgorithm(digest: Digest): DigestAlgorithm {
  return digest.slice(0, digest.indexOf(":")) as DigestAlgorithm;
}

/** The part of a digest after the colon. */
export function digestHex(digest: Digest): string {
  return digest.slice(digest.indexOf(":") + 1);
}

/** The digest of bytes in memory. */
export function digestOf(bytes: Uint8Array, algorithm: DigestAlgorithm = "sha256"): Digest {
  return new Digester(algorithm).update(bytes).digest();
}

/** Computes a digest piece by piece. */
export class Digester {
  readonly #algorithm: DigestAlgorithm;
  readonly #hash: Hash;

  /** @param hash - Of what was added already. */
  constructor(algorithm: DigestAlgorithm = "sha256", hash: Hash = createHash(algorithm)) {
    this.#algorithm = algorithm;
    this.#hash = hash;
  }

  /** One that goes on from here by itself. */
  fork(): Digester {
    return new Digester(this.#algorithm, this.#hash.copy());
  }

  /** Adds bytes. */
  update(bytes: Uint8Array): this {
    this.#hash.update(bytes);
    return this;
  }

  /** The digest of everything added; call it once. */
  digest(): Digest {
    return `${this.#algorithm}:${this.#hash.digest("hex")}`;
  }
}

function isAlgorithm(text: string): text is DigestAlgorithm {
  return Object.hasOwn(hexLengths, text);
}

function isLowerHex(text: string, start: number): boolean {
  for (let index = start; index < text.length; index++) {
    const code = text.charCodeAt(index);
    const isDecimal = code >= 0x30 && code <= 0x39;
    if (!isDecimal && !(code >= 0x61 && code <= 0x66)) return false;
  }
  return true;
}
