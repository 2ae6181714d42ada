import type { BitmapDirectoryInfo, FileRange } from "../extensions/contents.ts";
import type { HeaderExtension } from "../extensions/parse.ts";
import type { FeatureName } from "../header/features.ts";

/** The backing file that an image names. The name is bytes and is never interpreted. */
export interface BackingInfo {
  /** The name as it stands in the image. */
  readonly nameBytes: Uint8Array;
  /** The name as text, when the bytes are valid UTF-8. */
  readonly name?: string;
  /** The name for people: control characters and invalid bytes replaced. */
  readonly displayName: string;
  /** The backing format that the image states, such as `raw`. */
  readonly format?: string;
  /** Where the name starts in the image, in bytes. */
  readonly nameOffset: number;
}

/** The external data file that an image uses. */
export interface DataFileInfo {
  /** The name as it stands in the image, when there is one. */
  readonly nameBytes?: Uint8Array;
  /** The name as text, when the bytes are valid UTF-8. */
  readonly name?: string;
  /** Whether the data file is a raw image by itself. */
  readonly isRaw: boolean;
}

/** Where a table is, as the header says. */
export interface TableInfo {
  /** First byte. */
  readonly offset: number;
  /** Number of entries. */
  readonly entries: number;
}

/** The three feature fields. */
export interface FeatureInfo {
  /** Bits that a reader must know. */
  readonly incompatible: bigint;
  /** Bits that anyone may ignore. */
  readonly compatible: bigint;
  /** Bits that a writer clears when it does not know them. */
  readonly autoclear: bigint;
  /** Incompatible bits that this package does not know, with the image's own names for them. */
  readonly unknownIncompatible: readonly FeatureName[];
  /** The image's feature name table. */
  readonly names: readonly FeatureName[];
}

/** Everything that the header of an image says. */
export interface ImageInfo {
  /** Format version. */
  readonly version: 2 | 3;
  /** Size of the virtual disk in bytes, exact. */
  readonly virtualSizeBytes: bigint;
  /** Size of a cluster in bytes. */
  readonly clusterSizeBytes: number;
  /** The cluster size is 2 to this power. */
  readonly clusterBits: number;
  /** Width of a refcount in bits. */
  readonly refcountBits: number;
  /** How compressed clusters are compressed. */
  readonly compressionType: "zlib" | "zstd";
  /** How data is encrypted. */
  readonly encryption: "none" | "aes" | "luks";
  /** Where the LUKS header is. */
  readonly encryptionHeader?: FileRange;
  /** The backing file; absent for an image that stands alone. */
  readonly backing?: BackingInfo;
  /** The external data file; absent when data is in the image. */
  readonly dataFile?: DataFileInfo;
  /** Whether refcounts may be too low: the image was not closed. */
  readonly isDirty: boolean;
  /** Whether a writer found the image damaged and marked it. */
  readonly isMarkedCorrupt: boolean;
  /** Whether refcounts are brought up to date only when the image is closed. */
  readonly hasLazyRefcounts: boolean;
  /** Whether L2 entries have subclusters. */
  readonly hasExtendedL2: boolean;
  /** The persistent bitmaps; absent when there are none that are valid. */
  readonly bitmaps?: BitmapDirectoryInfo;
  /** Whether there are bitmaps that a writer left out of date. */
  readonly hasStaleBitmaps: boolean;
  /** The active L1 table. */
  readonly l1Table: TableInfo;
  /** The refcount table; `entries` counts 8-byte entries. */
  readonly refcountTable: TableInfo;
  /** The snapshot table. */
  readonly snapshots: TableInfo;
  /** The feature fields. */
  readonly features: FeatureInfo;
  /** Bytes of the header before its extensions. */
  readonly headerLengthBytes: number;
  /** All header extensions, known or not, in file order. */
  readonly extensions: readonly HeaderExtension[];
  /** Size of the image file in bytes. */
  readonly fileSizeBytes: number;
}
