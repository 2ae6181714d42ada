import * as z from "zod";
import { type Descriptor, readDescriptor } from "../content/descriptor.ts";
import { type Digest, digestAlgorithm, digestHex } from "../content/digest.ts";
import { mediaTypes } from "../content/media-types.ts";
import { Misfit } from "../json/read-value.ts";

/** A page of the referrers listing. */
export const referrersSchema: z.ZodType<{ readonly manifests: readonly Descriptor[] }> = z.lazy(
  () => z.looseObject({ manifests: z.array(descriptorSchema).max(10_000) }),
);

const descriptorSchema = z.unknown().transform((value, context): Descriptor => {
  try {
    return readDescriptor(value);
  } catch (error) {
    if (!(error instanceof Misfit)) throw error;
    context.addIssue(error.describe());
    return z.NEVER;
  }
});

/** The tag under which referrers of a digest are listed where the registry has no referrers API. */
export function fallbackTag(subject: Digest): string {
  return `${digestAlgorithm(subject).slice(0, 32)}-${digestHex(subject).slice(0, 64)}`;
}

/** What happens to a list. */
export interface FallbackChange {
  /** An entry that comes. */
  readonly add?: Descriptor;
  /** The digest of an entry that goes. */
  readonly remove?: Digest;
}

/** An index with an entry added, or taken away. */
export function changeFallbackIndex(
  manifests: readonly Descriptor[],
  change: FallbackChange,
): Uint8Array {
  const gone = change.add?.digest ?? change.remove;
  const rest = manifests.filter(({ digest }) => digest !== gone);
  const all = change.add === undefined ? rest : [...rest, change.add];
  const index = { schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests: all };
  return new TextEncoder().encode(JSON.stringify(index));
}
