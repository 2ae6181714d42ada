import type { CallBatch, Word } from "./call-batch.ts";
import { scratchAddress } from "./call-batch.ts";
import { itself } from "./guest-paths.ts";

/** What `statx` says of a file. */
export interface FileStatus {
  readonly kind: "file" | "directory" | "symlink" | "other";
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly links: number;
  readonly sizeBytes: number;
  readonly mtimeNs: bigint;
  /** Names the file itself, whatever its names are. */
  readonly identity: string;
}

const statusBytes = 256;
/** Everything but the time of its birth. */
const basicFacts = 0x7ff;
/** By the upper four bits of a mode. */
const kinds: Readonly<Record<number, FileStatus["kind"]>> = {
  4: "directory",
  8: "file",
  10: "symlink",
};
const nsPerSecond = 1_000_000_000n;

/** Asks what a file is: of a descriptor, or of a name in a folder. */
export function askStatus(
  batch: CallBatch,
  folder: Word | number,
  name: Uint8Array | string,
  options: { readonly flags?: number; readonly what: string; readonly path: Uint8Array },
): number {
  const { flags = itself, what, path } = options;
  const values = [folder, batch.text(name), flags, basicFacts, scratchAddress];
  const tells = { address: scratchAddress, length: statusBytes };
  return batch.call("statx", values, { tells, what, path });
}

/** Parses what it answers. */
export function parseStatus(bytes: Uint8Array): FileStatus {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const mode = view.getUint16(28, true);
  const seconds = view.getBigInt64(112, true);
  return {
    kind: kinds[mode >> 12] ?? "other",
    mode: mode & 0o7777,
    links: view.getUint32(16, true),
    uid: view.getUint32(20, true),
    gid: view.getUint32(24, true),
    sizeBytes: Number(view.getBigUint64(40, true)),
    mtimeNs: seconds * nsPerSecond + BigInt(view.getUint32(120, true)),
    identity: [136, 140, 32, 36].map((at) => view.getUint32(at, true)).join(":"),
  };
}

/** Two times for `utimensat`: when it was read stays as it is. @returns Their address. */
export function timesOf(batch: CallBatch, mtimeNs: bigint): number {
  const ns = ((mtimeNs % nsPerSecond) + nsPerSecond) % nsPerSecond;
  return batch.numbers(0, leftAlone, (mtimeNs - ns) / nsPerSecond, ns);
}

/** `UTIME_OMIT`. */
const leftAlone = 0x3fff_fffe;
