import type { Digest } from "@box/oras";

/** What may be signed: an image's manifest, or the index that names it. */
export interface SignedContent {
  /** Its digest. */
  readonly digest: Digest;
  /** Its bytes. */
  readonly bytes: Uint8Array;
}

/** Why a signature does not count, or nothing when it does. */
export type SignatureVerdict = string | undefined;
