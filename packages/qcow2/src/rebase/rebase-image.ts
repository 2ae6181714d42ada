import type { RandomAccess } from "@box/io";
import { changedHeader } from "../amend/changed-header.ts";
import { readWritableHeader, rewriteHeader } from "../amend/rewrite-header.ts";
import { throwIfAborted } from "../bytes/source-reader.ts";
import { toDisplayText, toNameBytes } from "../bytes/text.ts";
import { thenClose } from "../chain/closing.ts";
import { guardOf, openBacking, openParts } from "../chain/open-image.ts";
import type { OpenImageOptions } from "../chain/open-options.ts";
import type { BackingReference } from "../create/header-cluster.ts";
import type { BackingInfo } from "../inspect/image-info.ts";
import { copyDifferences } from "./copy-differences.ts";

/** How {@link rebaseImage} gives an image another backing file. */
export interface RebaseImageOptions
  extends Pick<
    OpenImageOptions,
    | "backing"
    | "dataFile"
    | "limits"
    | "cacheBytes"
    | "signal"
    | "codec"
    | "location"
    | "compat"
    | "passphrase"
  > {
  /** The new backing file as it is stored; `null` for none. */
  readonly newBacking: BackingReference | null;
  /**
   * Whether only the name and the format are changed, without a look at any backing file. The disk then reads as
   * whatever the new one holds: right when a file was moved or renamed, and damage else.
   */
  readonly isUnsafe?: boolean;
  /** Told how far it is, in bytes of the disk. */
  readonly onProgress?: (progress: {
    readonly doneBytes: number;
    readonly totalBytes: number;
  }) => void;
}

/** What {@link rebaseImage} did. */
export interface RebaseReport {
  /** Bytes of the disk that the image now stores itself because the new backing file has others. */
  readonly copiedBytes: number;
}

/**
 * Gives an image another backing file, or none, and keeps what its disk reads as: where the old and the new backing file
 * differ and the image stores nothing itself, it gets the old content. With `isUnsafe` only the header changes. Only the disk
 * is kept: what its snapshots do not store themselves they read from the new backing file, as with `qemu-img rebase`.
 *
 * The resolver `backing` opens both chains, for reading. The header changes in one write after all else is on stable
 * storage: until then the image has its old backing file and reads the same after a crash. Fields and extensions of the
 * header that are not known here are kept.
 *
 * @param source - The image file, which nothing else has open.
 * @throws {@link Qcow2Error} `QCOW2_INVALID_ARGUMENT` for a name that cannot be stored, before anything is written; what
 * opening the image and its backing files, reading and writing throw.
 */
export async function rebaseImage(
  source: RandomAccess,
  options: RebaseImageOptions,
): Promise<RebaseReport> {
  const { newBacking, isUnsafe = false } = options;
  const { area } = await readWritableHeader(source, options);
  // Judges whether the name can be stored before any work.
  changedHeader(area, { backing: newBacking });
  const copiedBytes = isUnsafe ? 0 : await keepContent(source, options);
  throwIfAborted(options.signal);
  const current = await readWritableHeader(source, options);
  await rewriteHeader(source, current.area, { backing: newBacking });
  return { copiedBytes };
}

/** Stores what the new backing file would show differently. */
async function keepContent(source: RandomAccess, options: RebaseImageOptions): Promise<number> {
  const { newBacking, onProgress, location } = options;
  const { layer, writer, info } = await openParts(source, [], { ...options, mode: "rw" });
  const keep = async (): Promise<number> => {
    if (writer === undefined) throw new Error("an image that is open for writing has a writer");
    const guard = guardOf(options);
    guard.enter(source, "image", "the image");
    if (info.dataFile) guard.enter(layer.parts.dataReader.source, "data", "of the image");
    const from = location === undefined ? {} : { location };
    const wanted = newBacking === null ? {} : { backing: toBackingInfo(newBacking) };
    const below = await openBacking(wanted, from, 1, guard, options);
    const { signal } = options;
    const copy = () => copyDifferences({ layer, writer, below, signal, onProgress });
    return thenClose(copy, [() => below?.close()]);
  };
  return thenClose(keep, [() => writer?.close(), () => layer.close()]);
}

function toBackingInfo({ name, format }: BackingReference): BackingInfo {
  const nameBytes = toNameBytes(name);
  return { nameBytes, displayName: toDisplayText(nameBytes), format, nameOffset: 0 };
}
