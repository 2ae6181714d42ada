import type { Codec } from "../codec/codec.ts";
import type { Compat } from "../inspect/read-header.ts";
import type { FileResolver } from "./resolver.ts";

/** Limits on what opening and reading an image may take. */
export interface ImageLimits {
  /** Largest virtual disk in bytes; 2^53 - 1 unless given. */
  readonly maxVirtualSizeBytes?: number;
  /** Most backing files below the top image; 32 unless given. */
  readonly maxChainDepth?: number;
  /** Memory for snapshot tables and bitmap directories, and for knowing where metadata is; 64 MiB unless given. */
  readonly maxMetadataBytes?: number;
  /** Most internal snapshots; what the format allows unless given. */
  readonly maxSnapshots?: number;
}

/** How an image is opened. The defaults are the safe ones. */
export interface OpenImageOptions {
  /** Opens backing files; `denyAll` unless given. */
  readonly backing?: FileResolver;
  /** Opens external data files; `denyAll` unless given. */
  readonly dataFile?: FileResolver;
  /** `r` reads only (the default); `rw` also writes the top image, and changes nothing before the first write. */
  readonly mode?: "r" | "rw";
  /** Limits, checked before any work. */
  readonly limits?: ImageLimits;
  /** `strict` refuses references past the end of the file; `qemu` reads them as zeros, as QEMU does. */
  readonly compat?: Compat;
  /** Memory for L1 and L2 tables of each image; 32 MiB unless given. */
  readonly cacheBytes?: number;
  /** Aborts opening and every later read. */
  readonly signal?: AbortSignal;
  /** Decompresses clusters; plain TypeScript on this thread unless given. */
  readonly codec?: Codec;
  /** Opens LUKS images, for reading only: the top one and those below. Text is taken as UTF-8. */
  readonly passphrase?: Uint8Array | string;
  /** Where the image is, told to the resolvers for names that are relative to it. */
  readonly location?: string;
}
