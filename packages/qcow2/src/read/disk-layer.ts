import type { Run } from "./run.ts";

/** A range of a virtual disk. */
export interface ExtentsOptions {
  /** First byte; 0 unless given. */
  readonly start?: number;
  /** Length in bytes; to the end of the disk unless given. */
  readonly length?: number;
}

/** A range of a virtual disk and where its bytes come from. */
export interface Extent {
  /** First byte in the virtual disk. */
  readonly start: number;
  /** Length in bytes. */
  readonly length: number;
  /** Which image of the chain it comes from: 0 is the top one. */
  readonly depth: number;
  /** What is there; `unallocated` means in no image of the chain, so it reads as zeros. */
  readonly kind: Run["kind"];
  /** Where it is stored in the file of that image (or its data file), when it is stored uncompressed. */
  readonly hostOffset?: number;
  /** Present where what is stored there is encrypted. */
  readonly isEncrypted?: true;
}

/** One disk of a chain: a qcow2 image or a raw file. */
export interface DiskLayer {
  /** Size of its virtual disk in bytes. */
  readonly sizeBytes: number;
  /** Fills `into` from byte `start` on; what is past the end of the disk is zeros. */
  readInto(start: number, into: Uint8Array): Promise<void>;
  /** Maps a range inside the disk, joined over layers; see {@link Extent}. */
  extents(start: number, length: number, depth: number): AsyncIterable<Extent>;
  /** Closes what was opened for it and the layers below. */
  close(): Promise<void>;
}
