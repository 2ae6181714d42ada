import type { Descriptor } from "../content/descriptor.ts";
import type { Digest } from "../content/digest.ts";
import { parseManifest } from "../content/manifest.ts";
import { describeReferrer } from "../content/referrer.ts";
import type { Fetcher, OperationOptions } from "../content/target.ts";
import { readAll } from "../content/verify.ts";
import { OrasError } from "../errors.ts";
import { throwIfAborted } from "../transport/pacing.ts";

/** What referrers are found in. */
interface BlobFolder extends Fetcher {
  /** All blobs. */
  blobs(): AsyncIterable<Pick<Descriptor, "digest" | "size">>;
}

/**
 * Finds the manifests of a layout that are about another one. A layout has no list of them, so every blob that may be
 * a manifest is looked into; those that are none are passed over.
 */
export async function* findReferrers(
  layout: BlobFolder,
  subject: Digest,
  options: OperationOptions & { readonly maxManifestBytes: number },
): AsyncGenerator<Descriptor, void, undefined> {
  for await (const { digest, size } of layout.blobs()) {
    throwIfAborted(options.signal);
    if (size > options.maxManifestBytes || digest === subject) continue;
    const entry = await readReferrer(layout, { digest, size }, subject);
    if (entry !== undefined) yield entry;
  }
}

async function readReferrer(
  layout: BlobFolder,
  blob: Pick<Descriptor, "digest" | "size">,
  subject: Digest,
): Promise<Descriptor | undefined> {
  const chunks = await layout.fetch({ mediaType: "", ...blob }, { verify: false });
  const bytes = await readAll(chunks, blob.size, blob.digest);
  // Most blobs are layers and configs: neither parsed nor hashed.
  if (
    bytes[0] !== 0x7b ||
    !Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).includes(subject)
  ) {
    return undefined;
  }
  try {
    const { mediaType } = parseManifest(bytes, { maxBytes: bytes.byteLength });
    const referrer = describeReferrer({ mediaType, ...blob }, bytes);
    return referrer?.subject.digest === subject ? referrer.entry : undefined;
  } catch (error) {
    if (error instanceof OrasError) return undefined;
    throw error;
  }
}
