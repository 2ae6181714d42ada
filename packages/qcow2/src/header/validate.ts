import { Qcow2Error, type Qcow2ErrorCode, type Qcow2Structure } from "../errors.ts";
import { hasBit, incompatibleBits } from "./features.ts";
import { headerFields as at, formatLimits, v3HeaderLength } from "./layout.ts";
import type { Header } from "./parse.ts";

/**
 * Judges the header's own fields, without looking at the file: sizes, features and whether they agree.
 *
 * @throws {@link Qcow2Error} at the first field that breaks a rule.
 * @see qcow2 specification, "Header"; the limits are QEMU 7.2's
 */
export function validateHeader(header: Header): void {
  validateClusterBits(header);
  if (header.version === 3) validateV3Fields(header);
  validateCompressionType(header);
  if (header.cryptMethod > 2) {
    throw headerError(
      "QCOW2_UNSUPPORTED_ENCRYPTION",
      "cryptMethod",
      `encryption method ${header.cryptMethod} is unknown`,
    );
  }
  validateBackingRange(header);
}

/** How strictly {@link validateTables} judges. */
export interface ValidateTablesOptions {
  /** When given, a table that does not fit into the file is refused before any limit is looked at. */
  readonly fileSizeBytes?: number | undefined;
  /** Lets pass what a check finds by itself and may repair: tables in the header's cluster, and no refcount table. */
  readonly isForCheck?: boolean;
}

/**
 * Judges where the header says its tables are: aligned, within limits, large enough.
 *
 * @throws {@link Qcow2Error} at the first table that breaks a rule.
 */
export function validateTables(header: Header, options: ValidateTablesOptions = {}): void {
  for (const table of headerTables(header)) validatePlacement(header, table, options);
  if (header.refcountTableClusters === 0 && !options.isForCheck) {
    throw headerError(
      "QCOW2_REFCOUNT_TABLE_MISSING",
      "refcountTableClusters",
      "the image has no refcount table",
    );
  }
  if (header.snapshotCount > formatLimits.maxSnapshots) {
    throw headerError(
      "QCOW2_TABLE_TOO_LARGE",
      "snapshotCount",
      `the image claims ${header.snapshotCount} snapshots, more than ${formatLimits.maxSnapshots}`,
    );
  }
  const needed = neededL1Entries(header);
  if (BigInt(header.l1Size) < needed) {
    throw headerError(
      "QCOW2_L1_TOO_SMALL",
      "l1Size",
      `the L1 table has ${header.l1Size} entries, but ${header.size} bytes need ${needed}`,
    );
  }
}

/** Entries of an L2 table. */
function l2EntriesOf(header: Pick<Header, "clusterBits" | "incompatibleFeatures">): number {
  const entryBytes = hasBit(header.incompatibleFeatures, incompatibleBits.extendedL2) ? 16 : 8;
  return 2 ** header.clusterBits / entryBytes;
}

/** L1 entries that the virtual size needs. */
function neededL1Entries(header: Header): bigint {
  const mapped = BigInt(l2EntriesOf(header)) << BigInt(header.clusterBits);
  return (header.size + mapped - 1n) / mapped;
}

/** Offsets are signed in QEMU; this is the largest one that a number can hold. */
const maxTableOffset = 2 ** 63 - 1024;

interface HeaderTable {
  readonly structure: Qcow2Structure;
  readonly field: keyof typeof at;
  readonly offset: number;
  readonly lengthBytes: number;
  readonly maxBytes: number;
  readonly alignment: number;
}

function headerTables(header: Header): HeaderTable[] {
  const clusterSize = 2 ** header.clusterBits;
  return [
    {
      structure: "refcount table",
      field: "refcountTableOffset",
      offset: header.refcountTableOffset,
      lengthBytes: header.refcountTableClusters * clusterSize,
      maxBytes: formatLimits.maxRefcountTableBytes,
      alignment: clusterSize,
    },
    {
      structure: "L1 table",
      field: "l1TableOffset",
      offset: header.l1TableOffset,
      lengthBytes: header.l1Size * 8,
      maxBytes: formatLimits.maxL1Bytes,
      alignment: clusterSize,
    },
    {
      structure: "snapshot table",
      field: "snapshotsOffset",
      offset: header.snapshotsOffset,
      // The table's length shows only as its entries are read; 40 bytes each is the least.
      lengthBytes: header.snapshotCount * 40,
      maxBytes: formatLimits.maxSnapshotTableBytes,
      alignment: clusterSize,
    },
  ];
}

function validatePlacement(
  header: Header,
  table: HeaderTable,
  { fileSizeBytes, isForCheck }: ValidateTablesOptions,
): void {
  const { structure, field, offset, lengthBytes, maxBytes, alignment } = table;
  // A table without entries may be anywhere, and a check says itself that one is past the end.
  const isAnywhere = lengthBytes === 0 || isForCheck;
  const maxOffset = isAnywhere ? maxTableOffset : Number.MAX_SAFE_INTEGER;
  if (offset % alignment !== 0 || offset > maxOffset) {
    throw headerError(
      "QCOW2_MISALIGNED",
      field,
      `the ${structure} at byte ${offset} does not start at a multiple of ${alignment}`,
    );
  }
  if (lengthBytes > 0 && offset < 2 ** header.clusterBits && !isForCheck) {
    throw headerError(
      "QCOW2_OVERLAP",
      field,
      `the ${structure} at byte ${offset} lies in the header's cluster`,
    );
  }
  if (fileSizeBytes !== undefined && lengthBytes > 0 && offset + lengthBytes > fileSizeBytes) {
    throw new Qcow2Error({
      code: offset >= fileSizeBytes ? "QCOW2_OUT_OF_FILE" : "QCOW2_TRUNCATED",
      message: `the ${structure} ends at byte ${offset + lengthBytes}, past the end of the file (${fileSizeBytes})`,
      offset,
      structure,
      details: { lengthBytes, fileSizeBytes },
    });
  }
  if (lengthBytes > maxBytes) {
    throw headerError(
      "QCOW2_TABLE_TOO_LARGE",
      field,
      `the ${structure} has ${lengthBytes} bytes, more than ${maxBytes}`,
    );
  }
}

function validateClusterBits({ clusterBits }: Header): void {
  const { minClusterBits, maxClusterBits } = formatLimits;
  if (clusterBits >= minClusterBits && clusterBits <= maxClusterBits) return;
  throw headerError(
    "QCOW2_CLUSTER_BITS_INVALID",
    "clusterBits",
    `cluster_bits is ${clusterBits}, expected ${minClusterBits} to ${maxClusterBits}`,
  );
}

function validateV3Fields(header: Header): void {
  const { headerLength, refcountOrder, clusterBits, incompatibleFeatures } = header;
  if (headerLength < v3HeaderLength || headerLength > 2 ** clusterBits) {
    throw headerError(
      "QCOW2_HEADER_LENGTH_INVALID",
      "headerLength",
      `header_length is ${headerLength}, expected ${v3HeaderLength} to ${2 ** clusterBits}`,
    );
  }
  if (refcountOrder > formatLimits.maxRefcountOrder) {
    throw headerError(
      "QCOW2_REFCOUNT_ORDER_INVALID",
      "refcountOrder",
      `refcount_order is ${refcountOrder}, expected 0 to ${formatLimits.maxRefcountOrder}`,
    );
  }
  if (
    hasBit(incompatibleFeatures, incompatibleBits.extendedL2) &&
    clusterBits < formatLimits.minExtendedL2ClusterBits
  ) {
    throw headerError(
      "QCOW2_FEATURE_CONFLICT",
      "incompatibleFeatures",
      `extended L2 entries need clusters of at least 16384 bytes, found ${2 ** clusterBits}`,
    );
  }
}

function validateCompressionType(header: Header): void {
  const { compressionType } = header;
  const isMarked = hasBit(header.incompatibleFeatures, incompatibleBits.compressionType);
  if (compressionType > 1) {
    throw headerError(
      "QCOW2_UNSUPPORTED_COMPRESSION",
      "compressionType",
      `compression type ${compressionType} is unknown`,
    );
  }
  if (isMarked !== (compressionType !== 0)) {
    throw headerError(
      "QCOW2_FEATURE_CONFLICT",
      "compressionType",
      `compression type ${compressionType} does not agree with the compression type bit`,
    );
  }
}

function validateBackingRange(header: Header): void {
  const { backingFileOffset, backingFileSize, clusterBits } = header;
  if (backingFileOffset === 0) return;
  const clusterSize = 2 ** clusterBits;
  const limit = Math.min(formatLimits.maxBackingNameBytes, clusterSize - backingFileOffset);
  if (backingFileOffset > clusterSize || backingFileSize > limit) {
    throw new Qcow2Error({
      code: "QCOW2_BACKING_NAME_INVALID",
      message: `the backing name at byte ${backingFileOffset} with ${backingFileSize} bytes does not fit the first cluster or is longer than ${formatLimits.maxBackingNameBytes}`,
      offset: at.backingFileOffset,
      structure: "backing name",
      details: { nameOffset: backingFileOffset, nameBytes: backingFileSize },
    });
  }
}

function headerError(code: Qcow2ErrorCode, field: keyof typeof at, message: string): Qcow2Error {
  return new Qcow2Error({
    code,
    message,
    offset: at[field],
    structure: "header",
    details: { field },
  });
}
