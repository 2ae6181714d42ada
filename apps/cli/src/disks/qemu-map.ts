import type { RandomAccess } from "@box/io";
import { countUsedClusters, type ImageInfo, type QemuMapEntry, toQemuMap } from "@box/qcow2";
import type { CommandContext } from "../command/define-command.ts";
import { allocatedBytesOf, findHoles, type SparseFile } from "./holes.ts";
import type { OpenDisk } from "./open-disk.ts";
import { roundToSectors } from "./raw-disk.ts";
import { seekData } from "./seek-data.ts";
import { showProgress } from "./show-progress.ts";

/** A file that holds bytes of a disk as they are. */
interface HostFile {
  readonly path: string;
  readonly source: RandomAccess;
  /** Whether a hole in it counts as no data, as in a raw file; in an image it only reads as zeros. */
  readonly isRaw: boolean;
}

/**
 * What `qemu-img map --output=json` of QEMU 7.2 prints. As QEMU does, it looks for holes in raw files, and in images that
 * take much less space than they have clusters, as those with preallocated metadata do.
 */
export async function qemuMapOf(disk: OpenDisk, context: CommandContext): Promise<QemuMapEntry[]> {
  const entries = disk.image === undefined ? rawEntries(disk) : await toQemuMap(disk.image);
  const files = await hostFilesOf(disk, context.signal);
  const tell = await showProgress(context, "map", disk.file);
  const refined: QemuMapEntry[] = [];
  const sparse = new Map<number, SparseFile>();
  for (const entry of entries) {
    const { depth, start } = entry;
    const file = entry.data && entry.offset !== undefined ? files.get(depth) : undefined;
    if (file === undefined) {
      addEntry(refined, entry);
      continue;
    }
    const known = sparse.get(depth) ?? (await toSparse(file, context));
    sparse.set(depth, known);
    const onProgress = () => tell(start, disk.sizeBytes);
    for (const part of await splitAtHoles(entry, { ...known, onProgress }, file.isRaw)) {
      addEntry(refined, part);
    }
  }
  return refined;
}

async function toSparse(
  { path, source }: HostFile,
  { env, signal }: CommandContext,
): Promise<SparseFile> {
  const allocatedBytes = await allocatedBytesOf(path);
  const data = await seekData(path, { env, signal });
  return { source, allocatedBytes, data, signal };
}

function rawEntries({ sizeBytes }: OpenDisk): QemuMapEntry[] {
  const length = roundToSectors(sizeBytes);
  if (length === 0)
    return [{ start: 0, length, depth: 0, present: false, zero: false, data: false }];
  return [{ start: 0, length, depth: 0, present: true, zero: false, data: true, offset: 0 }];
}

/** The files in which QEMU would look for holes, by depth. */
async function hostFilesOf(
  disk: OpenDisk,
  signal: AbortSignal,
): Promise<ReadonlyMap<number, HostFile>> {
  const { path, source, members, image } = disk;
  const files = new Map<number, HostFile>();
  if (image === undefined) return files.set(0, { path, source, isRaw: true });
  const dataFile = members.find(({ role, depth }) => role === "data-file" && depth === 0);
  const isSparse = await looksPreallocated(path, source, image.info, signal);
  if (isSparse)
    files.set(0, {
      path: dataFile?.path ?? path,
      source: dataFile?.source ?? source,
      isRaw: false,
    });
  for (const { role, depth, format, path, source } of members) {
    if (role === "backing" && format === "raw") files.set(depth, { path, source, isRaw: true });
  }
  return files;
}

/** Whether an image has more clusters that are counted as used than its file takes space for, by QEMU's measure. */
async function looksPreallocated(
  path: string,
  source: RandomAccess,
  info: ImageInfo,
  signal: AbortSignal,
): Promise<boolean> {
  const taken = Math.floor((await allocatedBytesOf(path)) / info.clusterSizeBytes);
  const atMost = Math.max(Math.floor((taken * 10) / 9), taken + 2);
  if (Math.ceil((await source.size()) / info.clusterSizeBytes) < atMost) return false;
  return (await countUsedClusters(source, info, { atMost, signal })) >= atMost;
}

async function splitAtHoles(
  entry: QemuMapEntry,
  file: SparseFile,
  isRaw: boolean,
): Promise<QemuMapEntry[]> {
  const { start, offset = 0, length } = entry;
  const parts = await findHoles(file, offset, offset + length);
  return parts.map((part) => ({
    ...entry,
    start: start + part.start - offset,
    length: part.end - part.start,
    offset: part.start,
    ...(part.isHole && { zero: true, ...(isRaw && { data: false }) }),
  }));
}

function addEntry(entries: QemuMapEntry[], entry: QemuMapEntry): void {
  const last = entries.at(-1);
  if (last !== undefined && canJoin(last, entry)) {
    entries[entries.length - 1] = { ...last, length: last.length + entry.length };
  } else entries.push(entry);
}

function canJoin(last: QemuMapEntry, next: QemuMapEntry): boolean {
  const isAlike = (["depth", "present", "zero", "data"] as const).every(
    (key) => last[key] === next[key],
  );
  if (!isAlike || last.offset === undefined) return isAlike && next.offset === undefined;
  return next.offset === last.offset + last.length;
}
