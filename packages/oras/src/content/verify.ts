import { OrasError } from "../errors.ts";
import type { Descriptor } from "./descriptor.ts";
import { type Digest, Digester, digestAlgorithm, digestOf } from "./digest.ts";

/**
 * Passes content on and checks it: more bytes than described fail at once, a wrong size or digest before the end.
 *
 * @param place - Where it comes from, for the message.
 * @throws {@link OrasError} `OCI_SIZE_MISMATCH`, `OCI_DIGEST_MISMATCH`, from the iteration.
 */
export async function* verifyContent(
  chunks: AsyncIterable<Uint8Array>,
  descriptor: Descriptor,
  place?: string,
): AsyncGenerator<Uint8Array, void, undefined> {
  const digester = new Digester(digestAlgorithm(descriptor.digest));
  let size = 0;
  for await (const chunk of chunks) {
    size += chunk.byteLength;
    if (size > descriptor.size) throw wrongSize(descriptor, `more than ${descriptor.size}`, place);
    digester.update(chunk);
    yield chunk;
  }
  if (size !== descriptor.size) throw wrongSize(descriptor, String(size), place);
  const found = digester.digest();
  if (found !== descriptor.digest) throw wrongDigest(descriptor.digest, found, place);
}

/**
 * Checks content in memory.
 *
 * @param place - Where it comes from, for the message.
 * @throws {@link OrasError} `OCI_SIZE_MISMATCH`, `OCI_DIGEST_MISMATCH`.
 */
export function verifyBytes(bytes: Uint8Array, descriptor: Descriptor, place?: string): void {
  const { digest, size } = descriptor;
  if (bytes.byteLength !== size) throw wrongSize(descriptor, String(bytes.byteLength), place);
  const found = digestOf(bytes, digestAlgorithm(digest));
  if (found !== digest) throw wrongDigest(digest, found, place);
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
export function wrongDigest(expected: Digest, found: Digest, place?: string): OrasError {
  return new OrasError({
    code: "OCI_DIGEST_MISMATCH",
    message: `content of ${expected}${inPlace(place)} has the digest ${found}`,
    details: { digest: expected, found, ...(place === undefined ? {} : { place }) },
    hint: "the content was damaged on its way or at its source; fetch it again or from elsewhere",
  });
}

/** The error of content whose size differs. */
export function wrongSize(descriptor: Descriptor, found: string, place?: string): OrasError {
  const { digest, size: expectedBytes } = descriptor;
  return new OrasError({
    code: "OCI_SIZE_MISMATCH",
    message: `content of ${digest}${inPlace(place)} has ${found} bytes, expected ${expectedBytes}`,
    details: { digest, expectedBytes, ...(place === undefined ? {} : { place }) },
  });
}

function inPlace(place: string | undefined): string {
  return place === undefined ? "" : ` in ${place}`;
}
