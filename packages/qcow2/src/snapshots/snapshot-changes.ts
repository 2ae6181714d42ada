import { requireNoBitmaps } from "../bitmaps/read-bitmap.ts";
import { viewOf } from "../bytes/big-endian.ts";
import type { MemoryBudget } from "../bytes/budget.ts";
import type { Name } from "../bytes/name-index.ts";
import type { SourceReader } from "../bytes/source-reader.ts";
import { toDisplayText, toNameBytes } from "../bytes/text.ts";
import { Qcow2Error } from "../errors.ts";
import { formatLimits } from "../header/layout.ts";
import type { LiveHeader } from "../inspect/live-header.ts";
import type { SwitchPlan } from "./disk-switch.ts";
import { findSnapshot, requirePossibleDisk } from "./find.ts";
import type { SnapshotEntry } from "./parse.ts";
import { readSnapshotTable, type SnapshotTable } from "./read-table.ts";
import { snapshotTableBytes } from "./serialize.ts";

/** A snapshot that is to be taken. */
export interface CreateSnapshotOptions {
  /** When it is taken. */
  readonly date: Date;
}

/** What judging and planning a change of the snapshots needs. */
export interface SnapshotParts {
  /** The image file. */
  readonly reader: SourceReader;
  /** Its header. */
  readonly header: LiveHeader;
  /** Memory for tables. */
  readonly budget: MemoryBudget;
}

/** A change that has been judged. */
export interface SnapshotChange {
  /** The snapshot that is taken, applied or deleted; the first one where all of them are rewritten. */
  readonly entry: SnapshotEntry;
  /** Says what is to become of the tables, once nothing is waiting to be written. */
  plan(): Promise<SwitchPlan>;
}

/**
 * Judges taking a snapshot; nothing is changed yet.
 *
 * @throws {@link Qcow2Error} `QCOW2_INVALID_ARGUMENT`, `QCOW2_UNSUPPORTED_FEATURE`, `QCOW2_TABLE_TOO_LARGE`, or what
 * reading the snapshot table fails with.
 */
export async function judgeCreate(
  parts: SnapshotParts,
  name: Uint8Array | string,
  options: CreateSnapshotOptions,
): Promise<SnapshotChange> {
  const nameBytes = requireName(name);
  const milliseconds = requireDate(options);
  requireOwnData(parts.header);
  const table = await readTable(parts);
  const { header } = parts.header;
  const entry: SnapshotEntry = {
    entryOffset: 0,
    id: toNameBytes(nextId(table.entries)),
    name: nameBytes,
    l1Offset: 0,
    l1OffsetLow: 0,
    l1Size: header.l1Size,
    dateSeconds: Math.floor(milliseconds / 1000),
    dateNanoseconds: (milliseconds % 1000) * 1_000_000,
    vmClockNanoseconds: 0n,
    vmStateBytes: 0n,
    diskSizeBytes: header.size,
    extra: new Uint8Array(0),
  };
  const snapshots = [...table.entries, entry];
  requireTableFits(snapshots);
  const plan = async (): Promise<SwitchPlan> => {
    const active = await readActiveL1(parts);
    const unused = unusedTables(parts, table);
    const sizeBytes = header.size;
    return {
      ended: [],
      begun: [active],
      unused,
      activeL1: active,
      sizeBytes,
      snapshots,
      taken: entry,
    };
  };
  return { entry, plan };
}

/**
 * Judges making the disk what it was when a snapshot was taken; nothing is changed yet.
 *
 * @throws {@link Qcow2Error} `QCOW2_SNAPSHOT_NOT_FOUND`, `QCOW2_UNSUPPORTED_FEATURE`, `QCOW2_HAS_BITMAPS`,
 * `QCOW2_SNAPSHOT_INVALID`, `QCOW2_IMAGE_TOO_LARGE`.
 */
export async function judgeApply(parts: SnapshotParts, idOrName: Name): Promise<SnapshotChange> {
  requireOwnData(parts.header);
  // QEMU refuses it too.
  requireNoBitmaps(parts.header.info, "the content of a snapshot");
  const table = await readTable(parts);
  const entry = findSnapshot(table.entries, idOrName);
  requirePossible(parts, entry);
  const entries = Math.max(entry.l1Size, l1EntriesFor(parts, entry));
  const plan = async (): Promise<SwitchPlan> => {
    const active = await readActiveL1(parts);
    const saved = await readL1(parts, entry);
    const activeL1 = viewOf(new Uint8Array(entries * 8));
    new Uint8Array(activeL1.buffer).set(
      new Uint8Array(saved.buffer, saved.byteOffset, saved.byteLength),
    );
    const unused = unusedTables(parts, table);
    const { diskSizeBytes: sizeBytes } = entry;
    return {
      ended: [active],
      begun: [saved],
      unused,
      activeL1,
      sizeBytes,
      snapshots: table.entries,
    };
  };
  return { entry, plan };
}

/**
 * Judges deleting a snapshot; nothing is changed yet.
 *
 * @throws {@link Qcow2Error} `QCOW2_SNAPSHOT_NOT_FOUND`, `QCOW2_UNSUPPORTED_FEATURE`, `QCOW2_SNAPSHOT_INVALID`.
 */
export async function judgeDelete(parts: SnapshotParts, idOrName: Name): Promise<SnapshotChange> {
  requireOwnData(parts.header);
  const table = await readTable(parts);
  const entry = findSnapshot(table.entries, idOrName);
  requirePossible(parts, entry);
  const snapshots = table.entries.filter((other) => other !== entry);
  const plan = async (): Promise<SwitchPlan> => {
    const activeL1 = await readActiveL1(parts);
    const saved = await readL1(parts, entry);
    const savedRange = { offset: entry.l1Offset, lengthBytes: entry.l1Size * 8 };
    const unused = [...unusedTables(parts, table), savedRange];
    const sizeBytes = parts.header.header.size;
    return { ended: [saved], begun: [], unused, activeL1, sizeBytes, snapshots };
  };
  return { entry, plan };
}

/** The disk's L1 table and the snapshot table, which are written anew. */
export function unusedTables(
  { header }: SnapshotParts,
  { lengthBytes }: SnapshotTable,
): SwitchPlan["unused"] {
  const { l1TableOffset, l1Size, snapshotsOffset } = header.header;
  return [
    { offset: l1TableOffset, lengthBytes: l1Size * 8 },
    { offset: snapshotsOffset, lengthBytes },
  ];
}

/** Reads the snapshot table. */
export function readTable({ reader, header, budget }: SnapshotParts): Promise<SnapshotTable> {
  return readSnapshotTable(reader, header.header, budget);
}

/** Reads the disk's L1 table. */
export async function readActiveL1({ reader, header, budget }: SnapshotParts): Promise<DataView> {
  const { l1TableOffset, l1Size } = header.header;
  budget.take(l1Size * 16, "L1 table");
  return viewOf(await reader.readExactly(l1TableOffset, l1Size * 8, "L1 table"));
}

/** Reads the L1 table of a snapshot. */
export async function readL1(
  { reader, budget }: SnapshotParts,
  entry: SnapshotEntry,
): Promise<DataView> {
  budget.take(entry.l1Size * 16, "snapshot L1 table");
  const { l1Offset, l1Size } = entry;
  return viewOf(await reader.readExactly(l1Offset, l1Size * 8, "snapshot L1 table"));
}

/** Refuses a snapshot whose disk cannot be. */
export function requirePossible({ reader, header }: SnapshotParts, entry: SnapshotEntry): void {
  requirePossibleDisk(entry, 2 ** header.header.clusterBits, reader.sizeBytes);
}

function l1EntriesFor({ header }: SnapshotParts, { diskSizeBytes }: SnapshotEntry): number {
  const { clusterSizeBytes, hasExtendedL2 } = header.info;
  const perTable = clusterSizeBytes / (hasExtendedL2 ? 16 : 8);
  const entries = Math.ceil(Number(diskSizeBytes) / (perTable * clusterSizeBytes));
  if (entries * 8 <= formatLimits.maxL1Bytes) return entries;
  throw new Qcow2Error({
    code: "QCOW2_IMAGE_TOO_LARGE",
    message: `the disk of the snapshot needs an L1 table of ${entries * 8} bytes`,
  });
}

function requireOwnData({ info }: LiveHeader): void {
  if (info.dataFile === undefined) return;
  throw new Qcow2Error({
    code: "QCOW2_UNSUPPORTED_FEATURE",
    message: "an image with an external data file cannot have internal snapshots",
  });
}

const maxNameBytes = 255;

function requireName(name: Uint8Array | string): Uint8Array {
  const bytes = toNameBytes(name);
  if (bytes.byteLength > 0 && bytes.byteLength <= maxNameBytes && !bytes.includes(0)) return bytes;
  throw new Qcow2Error({
    code: "QCOW2_INVALID_ARGUMENT",
    message: `the name of a snapshot has 1 to ${maxNameBytes} bytes without NUL, this one has ${bytes.byteLength}`,
  });
}

/** Milliseconds since 1970; the format has 32 bits for the seconds. */
function requireDate(options: Partial<CreateSnapshotOptions> | undefined): number {
  const { date } = options ?? {};
  const milliseconds = date instanceof Date ? date.getTime() : Number.NaN;
  if (milliseconds >= 0 && milliseconds < 2 ** 32 * 1000) return milliseconds;
  throw new Qcow2Error({
    code: "QCOW2_INVALID_ARGUMENT",
    message: "the date of a snapshot must be a Date between 1970 and 2106",
  });
}

/** One more than the largest number that an id starts with, as QEMU counts. */
function nextId(entries: readonly SnapshotEntry[]): string {
  const ids = new Set(entries.map(({ id }) => toDisplayText(id)));
  let next = 1n;
  for (const id of ids) {
    const number = BigInt(/^\d{1,20}/.exec(id)?.[0] ?? "0");
    if (number >= next) next = number + 1n;
  }
  while (ids.has(String(next))) next++;
  return String(next);
}

function requireTableFits(entries: readonly SnapshotEntry[]): void {
  const lengthBytes = snapshotTableBytes(entries);
  const { maxSnapshots, maxSnapshotTableBytes } = formatLimits;
  if (entries.length <= maxSnapshots && lengthBytes <= maxSnapshotTableBytes) return;
  throw new Qcow2Error({
    code: "QCOW2_TABLE_TOO_LARGE",
    message: `${entries.length} snapshots need a table of ${lengthBytes} bytes; the limits are ${maxSnapshots} and ${maxSnapshotTableBytes}`,
    structure: "snapshot table",
  });
}
