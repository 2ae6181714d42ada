import { readU64, viewOf } from "../bytes/big-endian.ts";
import { Qcow2Error } from "../errors.ts";
import { headerFields as at, magic, v2HeaderLength, v3HeaderLength } from "./layout.ts";

/** The header's fields as they stand in the file. Offsets above 2^53 are rounded; validation refuses them. */
export interface Header {
  /** Format version. */
  readonly version: 2 | 3;
  /** Where the backing name starts, 0 when there is none. */
  readonly backingFileOffset: number;
  /** Length of the backing name in bytes. */
  readonly backingFileSize: number;
  /** Cluster size is 2 to this power. */
  readonly clusterBits: number;
  /** Virtual disk size in bytes, exact. */
  readonly size: bigint;
  /** 0 none, 1 AES, 2 LUKS. */
  readonly cryptMethod: number;
  /** Entries of the active L1 table. */
  readonly l1Size: number;
  /** Where the active L1 table is. */
  readonly l1TableOffset: number;
  /** Where the refcount table is. */
  readonly refcountTableOffset: number;
  /** Clusters of the refcount table. */
  readonly refcountTableClusters: number;
  /** Number of internal snapshots. */
  readonly snapshotCount: number;
  /** Where the snapshot table is. */
  readonly snapshotsOffset: number;
  /** Incompatible feature bits; 0 in version 2. */
  readonly incompatibleFeatures: bigint;
  /** Compatible feature bits; 0 in version 2. */
  readonly compatibleFeatures: bigint;
  /** Autoclear feature bits; 0 in version 2. */
  readonly autoclearFeatures: bigint;
  /** A refcount is 2 to this power bits wide; 4 in version 2. */
  readonly refcountOrder: number;
  /** Bytes of the header; 72 in version 2. */
  readonly headerLength: number;
  /** 0 zlib, 1 zstd. */
  readonly compressionType: number;
  /** Bytes of the header past the fields known here, kept when the header is written again. */
  readonly unknownFields: Uint8Array;
}

/**
 * Parses the header's fields. Judges only what parsing needs: magic, version and that the header is all there.
 *
 * @param bytes - The file from byte 0; all of it when it is shorter than a header.
 * @throws {@link Qcow2Error} `QCOW2_BAD_MAGIC`, `QCOW2_TRUNCATED`, `QCOW2_BAD_VERSION` (corrupt),
 * `QCOW2_UNSUPPORTED_VERSION`.
 * @see qcow2 specification, "Header"
 */
export function parseHeader(bytes: Uint8Array): Header {
  requireMagic(bytes);
  const version = requireVersion(bytes);
  requireLength(bytes, version === 2 ? v2HeaderLength : v3HeaderLength);
  const view = viewOf(bytes);
  return {
    version,
    backingFileOffset: readU64(view, at.backingFileOffset),
    backingFileSize: view.getUint32(at.backingFileSize),
    clusterBits: view.getUint32(at.clusterBits),
    size: view.getBigUint64(at.size),
    cryptMethod: view.getUint32(at.cryptMethod),
    l1Size: view.getUint32(at.l1Size),
    l1TableOffset: readU64(view, at.l1TableOffset),
    refcountTableOffset: readU64(view, at.refcountTableOffset),
    refcountTableClusters: view.getUint32(at.refcountTableClusters),
    snapshotCount: view.getUint32(at.snapshotCount),
    snapshotsOffset: readU64(view, at.snapshotsOffset),
    ...(version === 2 ? v2Fields() : parseV3Fields(bytes, view)),
  };
}

type V3Fields = Pick<
  Header,
  | "incompatibleFeatures"
  | "compatibleFeatures"
  | "autoclearFeatures"
  | "refcountOrder"
  | "headerLength"
  | "compressionType"
  | "unknownFields"
>;

function v2Fields(): V3Fields {
  return {
    incompatibleFeatures: 0n,
    compatibleFeatures: 0n,
    autoclearFeatures: 0n,
    refcountOrder: 4,
    headerLength: v2HeaderLength,
    compressionType: 0,
    unknownFields: new Uint8Array(0),
  };
}

function parseV3Fields(bytes: Uint8Array, view: DataView): V3Fields {
  const headerLength = view.getUint32(at.headerLength);
  const hasCompressionType =
    headerLength > at.compressionType && bytes.byteLength > at.compressionType;
  return {
    incompatibleFeatures: view.getBigUint64(at.incompatibleFeatures),
    compatibleFeatures: view.getBigUint64(at.compatibleFeatures),
    autoclearFeatures: view.getBigUint64(at.autoclearFeatures),
    refcountOrder: view.getUint32(at.refcountOrder),
    headerLength,
    compressionType: hasCompressionType ? view.getUint8(at.compressionType) : 0,
    unknownFields: bytes.slice(at.compressionType + 1, Math.max(headerLength, 0)),
  };
}

function requireMagic(bytes: Uint8Array): void {
  if (bytes.byteLength < 4) {
    throw new Qcow2Error({
      code: "QCOW2_TRUNCATED",
      message: `the file has ${bytes.byteLength} bytes, too few for a qcow2 header`,
      offset: 0,
      structure: "header",
    });
  }
  const found = viewOf(bytes).getUint32(at.magic);
  if (found === magic) return;
  throw new Qcow2Error({
    code: "QCOW2_BAD_MAGIC",
    message: `not a qcow2 image: expected magic 0x${hex(magic)}, found 0x${hex(found)}`,
    offset: 0,
    structure: "header",
    details: { found: `0x${hex(found)}` },
  });
}

function requireVersion(bytes: Uint8Array): 2 | 3 {
  requireLength(bytes, at.version + 4);
  const version = viewOf(bytes).getUint32(at.version);
  if (version === 2 || version === 3) return version;
  throw new Qcow2Error({
    // No version 0 was ever made; 1 is the older qcow format and 4 and up may come.
    code: version === 0 ? "QCOW2_BAD_VERSION" : "QCOW2_UNSUPPORTED_VERSION",
    message: `the image has format version ${version}, expected 2 or 3`,
    offset: at.version,
    structure: "header",
    details: { version },
  });
}

function requireLength(bytes: Uint8Array, length: number): void {
  if (bytes.byteLength >= length) return;
  throw new Qcow2Error({
    code: "QCOW2_TRUNCATED",
    message: `the header needs ${length} bytes, but the file ends at byte ${bytes.byteLength}`,
    offset: 0,
    structure: "header",
    details: { lengthBytes: length, fileSizeBytes: bytes.byteLength },
  });
}

function hex(value: number): string {
  return value.toString(16).padStart(8, "0");
}
