import {
  type Descriptor,
  type Digest,
  type OciLayout,
  OrasError,
  parseManifest,
  readAll,
} from "@box/oras";
import { defaultImageLimits, type ImageLimits } from "../image/image.ts";

/** A manifest that is about another one. */
interface Attached {
  readonly descriptor: Descriptor;
  readonly subject: Digest;
}

/**
 * Finds what is attached to what stays: no entry of the index need lead to it.
 *
 * @param mark - Adds a manifest, and what it leads to, to what stays.
 */
export async function markAttached(
  layout: OciLayout,
  marked: ReadonlySet<Digest>,
  mark: (root: Descriptor) => Promise<void>,
  limits: Partial<ImageLimits>,
): Promise<void> {
  const { maxManifestBytes } = { ...defaultImageLimits, ...limits };
  let pending: Attached[] = [];
  for await (const blob of layout.blobs()) {
    if (marked.has(blob.digest) || blob.size > maxManifestBytes) continue;
    const attached = await readAttached(layout, blob);
    if (attached !== undefined) pending.push(attached);
  }
  // What is attached may have something attached to it.
  for (let found = 1; found > 0; ) {
    const kept = pending.filter(({ subject }) => marked.has(subject));
    pending = pending.filter(({ subject }) => !marked.has(subject));
    for (const { descriptor } of kept) await mark(descriptor);
    found = kept.length;
  }
}

async function readAttached(
  layout: OciLayout,
  { digest, size }: Pick<Descriptor, "digest" | "size">,
): Promise<Attached | undefined> {
  const chunks = await layout.fetch({ mediaType: "", digest, size }, { verify: false });
  const bytes = await readAll(chunks, size, digest);
  // Most blobs are layers and configs: not parsed.
  if (bytes[0] !== 0x7b || !Buffer.from(bytes).includes('"subject"')) return undefined;
  try {
    const document = parseManifest(bytes, { what: digest, maxBytes: size });
    const { subject } = document.type === "manifest" ? document.manifest : document.index;
    if (subject === undefined) return undefined;
    return { descriptor: { mediaType: document.mediaType, digest, size }, subject: subject.digest };
  } catch (error) {
    if (error instanceof OrasError) return undefined;
    throw error;
  }
}
