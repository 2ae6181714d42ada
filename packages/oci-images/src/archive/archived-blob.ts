import type { Descriptor, Digest } from "@box/oras";

/** A blob on its way into an archive. */
export interface ArchivedBlob {
  /** What it is in the archive. */
  readonly descriptor: Descriptor;
  /** Its digest in the store. */
  readonly stored: Digest;
  /** Reads it. */
  readonly open: () => Promise<AsyncIterable<Uint8Array>>;
}

/** An image on its way into an archive. */
export interface ArchivedParts {
  /** Its config and layers. */
  readonly parts: readonly ArchivedBlob[];
  /** Its manifest. */
  readonly root: ArchivedBlob;
}
