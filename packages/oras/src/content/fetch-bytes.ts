import { OrasError } from "../errors.ts";
import type { Descriptor } from "./descriptor.ts";
import type { Fetcher, OperationOptions } from "./target.ts";
import { readAll, verifyBytes } from "./verify.ts";

/** Options of {@link fetchBytes}. */
export interface FetchBytesOptions extends OperationOptions {
  /** The most bytes; what is described as larger is not even asked for. */
  readonly maxBytes: number;
  /** For messages: `config of REFERENCE`. */
  readonly what: string;
}

/**
 * Reads small content into memory, verified. Wrong content may be an accident on the way: it is fetched once more.
 *
 * @throws {@link OrasError} `OCI_TOO_LARGE`, `OCI_SIZE_MISMATCH`, `OCI_DIGEST_MISMATCH`; the source's codes.
 */
export async function fetchBytes(
  source: Fetcher,
  descriptor: Descriptor,
  options: FetchBytesOptions,
): Promise<Uint8Array> {
  try {
    return await fetchBytesOnce(source, descriptor, options);
  } catch (error) {
    if (!(error instanceof OrasError) || error.code !== "OCI_DIGEST_MISMATCH") throw error;
    return fetchBytesOnce(source, descriptor, options);
  }
}

/** The same for content of which the source itself has a second look, as registries do for manifests. */
export async function fetchBytesOnce(
  source: Fetcher,
  descriptor: Descriptor,
  options: FetchBytesOptions,
): Promise<Uint8Array> {
  const { maxBytes, what, signal } = options;
  if (descriptor.size > maxBytes) {
    throw new OrasError({
      code: "OCI_TOO_LARGE",
      message: `cannot read ${what}: ${descriptor.size} bytes exceed the limit of ${maxBytes}`,
      details: { digest: descriptor.digest },
    });
  }
  const chunks = await source.fetch(descriptor, { signal, verify: false });
  const bytes = await readAll(chunks, maxBytes, what);
  verifyBytes(bytes, descriptor, source.place);
  return bytes;
}
