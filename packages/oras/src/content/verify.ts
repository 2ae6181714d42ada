import { OrasError } from "../errors.ts";
import type { Descriptor } from "./descriptor.ts";
import { type Digest, Digester, digestAlgorithm, digestOf } from "./digest.ts";

/**
 * Passes content on and checks it: more bytes than described fail at once, a wrong size or digest before the end.
 *
 * @throws {@link OrasError} `OCI_SIZE_MISMATCH`, `OCI_DIGEST_MISMATCH`, from the iteration.
 */
export async function* verifyContent(
  chunks: AsyncIterable<Uint8Array>,
  descriptor: Descriptor,
): AsyncGenerator<Uint8Array, void, undefined> {
  const digester = new Digester(digestAlgorithm(descriptor.digest));
  let size = 0;
  for await (const chunk of chunks) {
    size += chunk.byteLength;
    if (size > descriptor.size) throw wrongSize(descriptor, `more than ${descriptor.size}`);
    digester.update(chunk);
    yield chunk;
  }
  if (size !== descriptor.size) throw wrongSize(descriptor, String(size));
  const found = digester.digest();
  if (found !== descriptor.digest) throw wrongDigest(descriptor.digest, found);
}

/**
 * Checks content in memory.
 *
 * @throws {@link OrasError} `OCI_SIZE_MISMATCH`, `OCI_DIGEST_MISMATCH`.
 */
export function verifyBytes(bytes: Uint8Array, descriptor: Descriptor): void {
  if (bytes.byteLength !== descriptor.size) throw wrongSize(descriptor, String(bytes.byteLength));
  const found = digestOf(bytes, digestAlgorithm(descriptor.digest));
  if (found !== descriptor.digest) throw wrongDigest(descriptor.digest, found);
}

/**
 * Reads a whole stream into memory, up to a limit.
 *
 * @param what - What is read, for the message.
 * @throws {@link OrasError} `OCI_TOO_LARGE`.
 */
export async function readAll(
  chunks: AsyncIterable<Uint8Array>,
  maxBytes: number,
  what: string,
): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of chunks) {
    size += chunk.byteLength;
    if (size > maxBytes) {
      throw new OrasError({
        code: "OCI_TOO_LARGE",
        message: `cannot read ${what}: it exceeds the limit of ${maxBytes} bytes`,
      });
    }
    parts.push(chunk);
  }
  const only = parts[0];
  return parts.length === 1 && only !== undefined ? only : new Uint8Array(Buffer.concat(parts));
}

/** The error of content whose digest differs. */
export function wrongDigest(expected: Digest, found: Digest): OrasError {
  return new OrasError({
    code: "OCI_DIGEST_MISMATCH",
    message: `content of ${expected} has the digest ${found}`,
    details: { digest: expected, found },
    hint: "the content was damaged on its way or at its source; fetch it again or from elsewhere",
  });
}

/** The error of content whose size differs. */
export function wrongSize(descriptor: Descriptor, found: string): OrasError {
  return new OrasError({
    code: "OCI_SIZE_MISMATCH",
    message: `content of ${descriptor.digest} has ${found} bytes, expected ${descriptor.size}`,
    details: { digest: descriptor.digest, expectedBytes: descriptor.size },
  });
}
