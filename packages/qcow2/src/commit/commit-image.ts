import type { RandomAccess } from "@box/io";
import { readWritableHeader } from "../amend/rewrite-header.ts";
import { throwIfAborted } from "../bytes/source-reader.ts";
import { thenClose } from "../chain/closing.ts";
import { guardOf, openParts } from "../chain/open-image.ts";
import type { OpenImageOptions } from "../chain/open-options.ts";
import type { FileResolver } from "../chain/resolver.ts";
import { Qcow2Error } from "../errors.ts";
import type { Qcow2Layer } from "../read/qcow2-layer.ts";
import { type CommitTarget, openTarget } from "./commit-target.ts";

/** How {@link commitImage} works. */
export interface CommitImageOptions
  extends Pick<
    OpenImageOptions,
    | "backing"
    | "dataFile"
    | "limits"
    | "cacheBytes"
    | "signal"
    | "codec"
    | "location"
    | "passphrase"
  > {
  /**
   * Opens the image's backing file for writing: asked once, with the mode `rw`. No other file of the chain is written,
   * but for the backing file's own data file.
   */
  readonly target: FileResolver;
  /** Opens what is below the backing file, for reading; `denyAll` unless given. */
  readonly backing?: FileResolver;
  /** Whether the image keeps what it holds, although the backing file has it too then. */
  readonly keepsData?: boolean;
  /** Told how far it is, in bytes of the disk. */
  readonly onProgress?: (progress: {
    readonly doneBytes: number;
    readonly totalBytes: number;
  }) => void;
}

/** What {@link commitImage} did. */
export interface CommitReport {
  /** Bytes of the disk that were written to the backing file, as data or zeros. */
  readonly committedBytes: number;
  /** Size of the backing file's disk, which is made larger when the image's is. */
  readonly backingSizeBytes: number;
}

const windowBytes = 2 ** 20;

/**
 * Writes what an image holds itself into its backing file, and then empties the image unless `keepsData`.
 *
 * The image gives nothing up before the backing file has it on stable storage, so no crash changes what its disk reads
 * as. Other images on the same backing file do read differently afterwards, and so do snapshots of this one where they store
 * nothing themselves. When this fails, the backing file may have a part of it: doing it again finishes the work.
 *
 * @param source - The image file, which nothing else has open.
 * @throws {@link Qcow2Error} `QCOW2_INVALID_ARGUMENT` when the image has no backing file; what opening both, reading and
 * writing throw. Errors of the backing file carry `details.depth` and `details.name`.
 */
export async function commitImage(
  source: RandomAccess,
  options: CommitImageOptions,
): Promise<CommitReport> {
  const { keepsData = false, location, target: resolver, ...rest } = options;
  const { info } = await readWritableHeader(source, options);
  const { backing } = info;
  if (backing === undefined) {
    throw new Qcow2Error({
      code: "QCOW2_INVALID_ARGUMENT",
      message: "the image has no backing file to commit to",
    });
  }
  const guard = guardOf(options);
  const place = location === undefined ? {} : { location };
  const mode = keepsData ? "r" : "rw";
  const own = { ...rest, ...place, guard, mode, standsAlone: true } as const;
  const { layer, writer } = await openParts(source, [], own);
  const commit = async (): Promise<CommitReport> => {
    const target = await openTarget({ backing, resolver, location, guard, options: rest });
    const copy = async (): Promise<CommitReport> => {
      const committedBytes = await copyDown(layer, target, options);
      throwIfAborted(options.signal);
      await writer?.empty();
      return { committedBytes, backingSizeBytes: target.sizeBytes };
    };
    return thenClose(copy, [() => target.close()]);
  };
  return thenClose(commit, [() => writer?.close(), () => layer.close()]);
}

/** Writes all that an image holds to what is below it, and makes that safe. */
async function copyDown(
  layer: Qcow2Layer,
  target: CommitTarget,
  { signal, onProgress }: CommitImageOptions,
): Promise<number> {
  const totalBytes = layer.sizeBytes;
  if (target.sizeBytes < totalBytes) await target.grow(totalBytes);
  let committed = 0;
  for (let at = 0; at < totalBytes; ) {
    throwIfAborted(signal);
    const run = await layer.map.next(at, totalBytes - at);
    const length = run.kind === "data" || run.kind === "compressed" ? windowBytes : run.length;
    const step = Math.min(run.length, length);
    if (run.kind === "zero") await target.zero(at, step);
    else if (run.kind !== "unallocated") {
      const bytes = new Uint8Array(step);
      await layer.readInto(at, bytes);
      await target.write(at, bytes);
    }
    if (run.kind !== "unallocated") committed += step;
    at += step;
    onProgress?.({ doneBytes: at, totalBytes });
  }
  await target.flush();
  return committed;
}
