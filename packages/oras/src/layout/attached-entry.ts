import type { Descriptor } from "../content/descriptor.ts";
import { describeReferrer } from "../content/referrer.ts";
import { OrasError } from "../errors.ts";
import { namesOf } from "./index-file.ts";

/** The longest artifact type that an entry repeats. */
const maxTypeLength = 255;

/**
 * The entry of `index.json` for a manifest that is about another one, as oras-go writes it: nothing else leads other tools
 * to it. It has no name, and none of the manifest's own annotations, which could be one.
 *
 * @returns Nothing for a manifest that is about itself only, and for what is no manifest.
 */
export function attachedEntry(descriptor: Descriptor, bytes: Uint8Array): Descriptor | undefined {
  const { mediaType, digest, size } = descriptor;
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (!text.includes('"subject"')) return undefined;
  try {
    const referrer = describeReferrer({ mediaType, digest, size }, bytes);
    if (referrer === undefined) return undefined;
    const { artifactType = "" } = referrer.entry;
    const isUseful = artifactType !== "" && artifactType.length <= maxTypeLength;
    return { mediaType, digest, size, ...(isUseful ? { artifactType } : {}) };
  } catch (error) {
    if (error instanceof OrasError) return undefined;
    throw error;
  }
}

/** The entries with one more, unless one of them leads there already. */
export function withEntry(
  entries: readonly Descriptor[],
  entry: Descriptor,
): readonly Descriptor[] {
  return entries.some(({ digest }) => digest === entry.digest) ? entries : [...entries, entry];
}

/** The entries without one that leads somewhere without naming it. */
export function withoutNameless(
  entries: readonly Descriptor[],
  { digest, mediaType }: Descriptor,
): readonly Descriptor[] {
  const isNameless = (entry: Descriptor): boolean =>
    entry.digest === digest && entry.mediaType === mediaType && namesOf(entry).length === 0;
  return entries.filter((entry) => !isNameless(entry));
}
