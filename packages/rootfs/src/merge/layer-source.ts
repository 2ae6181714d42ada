import type { RootfsWarning } from "./warning.ts";

/** How a {@link LayerSource} is read. */
export interface OpenLayerSourceOptions {
  /** Stops between two chunks. */
  readonly signal?: AbortSignal;
  /** It was read to its end before, by this process: what surrounds the archive need not be verified again. */
  readonly isSecondReading?: boolean;
  /** Told what is wrong around the archive and does no harm. */
  readonly onWarning?: (warning: RootfsWarning) => void;
}

/** One layer of an image: an uncompressed tar archive that can be read more than once. */
export interface LayerSource {
  /** Digest of the uncompressed archive, such as `sha256:...`: it names the content. */
  readonly diffId: string;
  /** Whether it holds files that a caller puts on top: they replace files, and no folder of the image. */
  readonly isInjected?: boolean;
  /**
   * Reads the archive from its start. Each call gives the same bytes; an implementation that checks `diffId` throws at
   * the end when they are others. A chunk stays valid until the next one is asked for.
   */
  open(options: OpenLayerSourceOptions): AsyncIterable<Uint8Array>;
  /**
   * Reads what the archive is stored as. Asked after a fault in the archive: damage of the store may show as anything, also
   * before {@link LayerSource.open} comes to the end.
   *
   * @throws when that is not what it should be, or cannot be read.
   */
  verify?(options: { readonly signal?: AbortSignal }): Promise<void>;
}
