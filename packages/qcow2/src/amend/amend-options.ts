import type { ImageLimits } from "../chain/open-options.ts";

/** What `amendImage` changes; what is left out stays as it is. */
export interface AmendImageOptions {
  /** Format version: 2 is what `compat=0.10` means, 3 is `compat=1.1`. */
  readonly version?: 2 | 3;
  /** Whether writers may leave refcounts behind while the image is open; needs version 3. */
  readonly hasLazyRefcounts?: boolean;
  /** 1, 2, 4, 8, 16, 32 or 64; version 2 has 16. All refcounts are counted anew. */
  readonly refcountBits?: number;
  /** The name that is stored for the external data file, of an image that has one: 1 to 1023 bytes without NUL. */
  readonly dataFileName?: Uint8Array | string;
  /** `false`: the external data file need not be a raw image by itself any more. It cannot become one. */
  readonly isDataFileRaw?: boolean;
  /** Limits on memory. */
  readonly limits?: Pick<ImageLimits, "maxMetadataBytes">;
  /** Aborts between steps; the image is sound then, and as before or with a part of the changes. */
  readonly signal?: AbortSignal;
}
