import { protocolError } from "./frames.ts";
import { PayloadReader } from "./payload-reader.ts";
import { invalid, PayloadWriter } from "./payload-writer.ts";

/** What a record is about; on the wire the place in the list plus one. */
const kinds = ["file", "directory", "symlink", "hardlink"] as const;

/** A file on its way into or out of the guest: its header. The content of a file follows, `sizeBytes` long. */
export interface TreeRecord {
  /** What it is. */
  readonly kind: (typeof kinds)[number];
  /** Permission bits, at most 0o7777. */
  readonly mode: number;
  /** Its owner. */
  readonly uid: number;
  /** Its group. */
  readonly gid: number;
  /** Nanoseconds since 1970. */
  readonly mtimeNs: bigint;
  /** Length of the content of a file; 0 for what is no file. */
  readonly sizeBytes: number;
  /** Path as bytes, relative, without empty, `.` and `..` parts; folders come before what is in them. */
  readonly path: Uint8Array;
  /**
   * Where a symbolic link leads; for a hard link the path of a file's record before it. Empty for what is
   * none.
   */
  readonly linkTarget: Uint8Array;
}

/** What a {@link TreeRecordDecoder} finds. Content belongs to the last record. */
export type TreeEvent =
  | { readonly type: "record"; readonly record: TreeRecord }
  | { readonly type: "content"; readonly bytes: Uint8Array };

/** Bytes of a record before its path: kind, mode, uid, gid, mtime, size, lengths of path and link. */
const recordHeaderBytes = 1 + 4 + 4 + 4 + 8 + 8 + 2 + 2;
const longestName = 4095;

/**
 * Serializes a record's header, path and link; the content of a file is sent behind it as it is.
 *
 * @throws GuestError `GUEST_REQUEST_INVALID`.
 */
export function encodeTreeRecord(record: TreeRecord): Uint8Array {
  const { path, linkTarget } = record;
  const fault = faultOf(record);
  if (fault !== undefined) throw invalid("record", fault);
  return new PayloadWriter()
    .u8(kinds.indexOf(record.kind) + 1, "kind")
    .u32(record.mode, "mode")
    .u32(record.uid, "uid")
    .u32(record.gid, "gid")
    .u64(BigInt.asUintN(64, record.mtimeNs), "mtimeNs")
    .u64(BigInt(record.sizeBytes), "sizeBytes")
    .u16(path.length, "path")
    .u16(linkTarget.length, "linkTarget")
    .bytes(path, path.length, "path")
    .bytes(linkTarget, linkTarget.length, "linkTarget")
    .finish();
}

/** Parses the stream of records that GET sends. Names are judged: none leads out of the folder that it is unpacked in. */
export class TreeRecordDecoder {
  #held: Uint8Array = new Uint8Array(0);
  #contentLeft = 0;

  /** Whether the stream may end here. */
  get isBetweenRecords(): boolean {
    return this.#held.length === 0 && this.#contentLeft === 0;
  }

  /**
   * Takes the next bytes, cut anywhere.
   *
   * @throws GuestError `GUEST_PROTOCOL`.
   */
  *push(chunk: Uint8Array): Generator<TreeEvent, void, undefined> {
    let rest = chunk;
    while (rest.length > 0) {
      if (this.#contentLeft > 0) {
        const bytes = rest.subarray(0, this.#contentLeft);
        this.#contentLeft -= bytes.length;
        rest = rest.subarray(bytes.length);
        yield { type: "content", bytes };
        continue;
      }
      const { length } = this.#held;
      const wanted = this.#wanted() - length;
      this.#held = joined(this.#held, rest.subarray(0, wanted));
      rest = rest.subarray(this.#held.length - length);
      // Judged as soon as the lengths are known, so that a bad one is not waited for.
      if (this.#held.length < this.#wanted()) continue;
      const record = parseRecord(this.#held);
      this.#held = new Uint8Array(0);
      this.#contentLeft = record.sizeBytes;
      yield { type: "record", record };
    }
  }

  #wanted(): number {
    if (this.#held.length < recordHeaderBytes) return recordHeaderBytes;
    const view = new DataView(this.#held.buffer, this.#held.byteOffset);
    const [path, link] = [view.getUint16(29, true), view.getUint16(31, true)];
    return recordHeaderBytes + Math.min(path, longestName + 1) + Math.min(link, longestName + 1);
  }
}

function parseRecord(bytes: Uint8Array): TreeRecord {
  const reader = new PayloadReader(bytes, "a file's record");
  const kind = kinds[reader.u8() - 1] ?? reader.fail("there is no such kind");
  const [mode, uid, gid] = [reader.u32(), reader.u32(), reader.u32()];
  const mtimeNs = BigInt.asIntN(64, reader.u64());
  const sizeBytes = Number(reader.u64());
  const [pathLength, linkLength] = [reader.u16(), reader.u16()];
  if (Math.max(pathLength, linkLength) > longestName) reader.fail("a name is too long");
  const path = reader.bytes(pathLength);
  const linkTarget = reader.bytes(linkLength);
  const record = { kind, mode, uid, gid, mtimeNs, sizeBytes, path, linkTarget };
  const fault = faultOf(record);
  if (fault !== undefined) throw protocolError(`a file's record is damaged: ${fault}`);
  return record;
}

/** What must be different in a record. */
function faultOf(record: TreeRecord): string | undefined {
  const { kind, path, linkTarget, sizeBytes } = record;
  if (record.mode > 0o7777) return "without bits in its mode that are no permissions";
  if (!Number.isSafeInteger(sizeBytes) || sizeBytes < 0) return "of a size below 2^53";
  if (kind !== "file" && sizeBytes !== 0) return "without content, being no file";
  const isLink = kind === "symlink" || kind === "hardlink";
  if (isLink !== linkTarget.length > 0) return "with a target exactly for a link";
  if (path.length > longestName || linkTarget.length > longestName) return "named in 4095 bytes";
  if (path.includes(0) || linkTarget.includes(0)) return "named without NUL";
  if (!isBelow(path) || (kind === "hardlink" && !isBelow(linkTarget))) {
    return "named by a relative path without empty, . and .. parts";
  }
  return undefined;
}

function isBelow(path: Uint8Array): boolean {
  const parts = new TextDecoder("latin1").decode(path).split("/");
  return !parts.some((part) => part === "" || part === "." || part === "..");
}

function joined(left: Uint8Array, right: Uint8Array): Uint8Array {
  const both = new Uint8Array(left.length + right.length);
  both.set(left);
  both.set(right, left.length);
  return both;
}
