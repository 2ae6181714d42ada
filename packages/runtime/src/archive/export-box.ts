import { createHash } from "node:crypto";
import { lstat } from "node:fs/promises";
import { dirname } from "node:path";
import { IoError, type OpenFile } from "@box/io";
import {
  createFileDurably,
  errnoOf,
  openFile,
  removeDeadTemporaries,
  toIoError,
} from "@box/io/node";
import type { TaskContext } from "@box/pipeline";
import { digestOf } from "@box/rootfs";
import { tarPadding } from "@box/tar";
import type { BoxRecord } from "../boxes/box.ts";
import type { BoxChange } from "../boxes/box-work.ts";
import { requireSoundDisks, type SoundDisk } from "../disks/sound-disk.ts";
import { RuntimeError } from "../errors.ts";
import type { BoxOwnEvent } from "../events.ts";
import type { InitServices } from "../init/services.ts";
import { type ArchivePiece, checksumEntry, planArchive } from "./archive-plan.ts";
import { type ArchivedBase, type ArchiveManifest, archiveVersion } from "./manifest.ts";

/** An archive that was written. */
export interface WrittenArchive {
  /** Its path. */
  readonly path: string;
  /** Its size in bytes. */
  readonly sizeBytes: number;
}

/** What is archived, and how. */
export interface ExportSettings {
  /** The file to make; one that exists is refused. */
  readonly path: string;
  /** Whether the contents of the bases go along. */
  readonly withBases: boolean;
}

const stepBytes = 1024 * 1024;

/** Writes an archive of a box, whole under its name or not there at all. */
export function exportChange(
  services: InitServices,
  { path, withBases }: ExportSettings,
): BoxChange<WrittenArchive> {
  return {
    kind: "export",
    doing: "exporting",
    usesDisks: true,
    run: async (box, context) => {
      // Before the work: reading the disks of a large box takes minutes.
      await requireNewName(path);
      // What an export that was killed has left in this folder; what cannot be removed is no reason to fail.
      await removeDeadTemporaries(dirname(path)).catch(() => {});
      const disks = await requireSoundDisks(services, box, context.signal);
      const manifest = await describe(box, disks, withBases, context.signal);
      const { signal } = context;
      const fill = (file: OpenFile) => writeArchive(file, manifest, disks, context);
      const sizeBytes = await createFileDurably(path, fill, { exclusive: true, signal });
      context.emit({
        type: "change",
        name: "box.exported",
        level: "info",
        message: `exported box ${box.name} to ${path}`,
        details: { path, sizeBytes, withBases },
      });
      return { path, sizeBytes };
    },
  };
}

async function requireNewName(path: string): Promise<void> {
  const failed = { action: "cannot create", path };
  try {
    await lstat(dirname(path));
    await lstat(path);
  } catch (error) {
    const isNew = errnoOf(error) === "ENOENT" && (error as NodeJS.ErrnoException).path === path;
    if (isNew) return;
    throw toIoError(error, failed);
  }
  throw new IoError({
    code: "IO_EXISTS",
    message: `cannot create ${path}: there is a file already`,
    details: { path },
  });
}

async function describe(
  box: BoxRecord,
  disks: readonly SoundDisk[],
  withBases: boolean,
  signal: AbortSignal,
): Promise<ArchiveManifest> {
  const { name, image, imageConfig, guestRootfs, diskSizeBytes, labels, autoRemove } = box;
  // Ports and networks belong to the host that the box was made on: an archive opens nothing on another.
  const { forwards: _, network: __, ...run } = box.run;
  const bases = new Map<string, ArchivedBase>();
  const archived: ArchiveManifest["disks"][number][] = [];
  for (const disk of disks) {
    const base = await describeBase(box, disk, withBases, signal);
    if (base !== undefined) bases.set(base.digest, base);
    const { sizeBytes, digest } = await measure(disk.path, signal);
    const { role, virtualSizeBytes } = disk;
    archived.push({
      ...{ role, digest, sizeBytes, virtualSizeBytes },
      ...(base === undefined ? {} : { base: base.digest }),
    });
  }
  return {
    formatVersion: archiveVersion,
    box: {
      ...{ name, image, guestRootfs, labels, autoRemove, run },
      ...(imageConfig === undefined ? {} : { imageConfig }),
      ...(diskSizeBytes === undefined ? {} : { diskSizeBytes }),
    },
    disks: archived,
    bases: [...bases.values()],
  };
}

async function describeBase(
  box: BoxRecord,
  { role, record }: SoundDisk,
  isIncluded: boolean,
  signal: AbortSignal,
): Promise<ArchivedBase | undefined> {
  const { base } = record;
  if (base === undefined) return undefined;
  const { key, path, format, sizeBytes } = base;
  if (format !== "raw" || (!isIncluded && (key === undefined || base.digest === undefined))) {
    throw new RuntimeError({
      code: "BOX_BASE_FOREIGN",
      message: `cannot export the base of the ${role} disk of box ${box.name}: ${path} was not made by this home`,
      details: { name: box.name, disk: role, path },
      hint:
        format === "raw"
          ? "pack it with its bases: leave --without-bases out"
          : "flatten the disk first",
    });
  }
  const digest = base.digest ?? (await measure(path, signal)).digest;
  return { digest, sizeBytes, isIncluded, ...(key === undefined ? {} : { key }) };
}

async function measure(
  path: string,
  signal: AbortSignal,
): Promise<{ readonly sizeBytes: number; readonly digest: string }> {
  await using file = await openFile(path, { followLink: false });
  const sizeBytes = await file.size();
  return { sizeBytes, digest: await digestOf(file, sizeBytes, signal) };
}

async function writeArchive(
  target: OpenFile,
  manifest: ArchiveManifest,
  disks: readonly SoundDisk[],
  context: TaskContext<BoxOwnEvent>,
): Promise<number> {
  const manifestBytes = new TextEncoder().encode(`${JSON.stringify(manifest, undefined, 2)}\n`);
  const { pieces, checksumOffset } = planArchive(manifest, manifestBytes.byteLength);
  const hash = createHash("sha256");
  let done = 0;
  const put = async (bytes: Uint8Array): Promise<void> => {
    hash.update(bytes);
    await target.write?.(done, bytes);
    done += bytes.byteLength;
    context.progress({ done, total: checksumOffset, unit: "bytes", item: "archive" });
  };
  for (const piece of pieces) {
    await put(piece.header);
    const { content } = piece;
    if (content.type === "manifest") await put(manifestBytes);
    else {
      const { path, digest } = sourceOf(content, manifest, disks);
      await putFile(piece, path, digest, put, context.signal);
    }
    await put(tarPadding(piece.sizeBytes));
  }
  const end = checksumEntry(hash.digest("hex"));
  await target.write?.(done, end);
  return done + end.byteLength;
}

/** Where the content of an entry is, and what it must be. */
function sourceOf(
  content: Exclude<ArchivePiece["content"], { readonly type: "manifest" }>,
  manifest: ArchiveManifest,
  disks: readonly SoundDisk[],
): { readonly path: string; readonly digest: string } {
  const archived = manifest.disks.find((disk) =>
    content.type === "disk" ? disk.role === content.role : disk.base === content.digest,
  );
  const disk = disks.find(({ role }) => role === archived?.role);
  if (archived === undefined || disk === undefined) throw new Error("an entry has its disk");
  if (content.type === "disk") return { path: disk.path, digest: archived.digest };
  return { path: disk.record.base?.path ?? "", digest: content.digest };
}

async function putFile(
  { sizeBytes }: ArchivePiece,
  path: string,
  digest: string,
  put: (bytes: Uint8Array) => Promise<void>,
  signal: AbortSignal,
): Promise<void> {
  await using file = await openFile(path, { followLink: false });
  const hash = createHash("sha256");
  for (let offset = 0; offset < sizeBytes; offset += stepBytes) {
    signal.throwIfAborted();
    const bytes = await file.read(offset, Math.min(stepBytes, sizeBytes - offset));
    hash.update(bytes);
    await put(bytes);
  }
  const found = `sha256:${hash.digest("hex")}`;
  if (found === digest) return;
  throw new RuntimeError({
    code: "BOX_EXPORT_DAMAGED",
    message: `cannot export ${path}: its content is ${found}, expected ${digest}`,
    details: { path, expected: digest, found },
    hint: 'a damaged base is made again with "box rootfs restore NAME"',
  });
}
