import { createHash } from "node:crypto";
import type { OpenFile } from "@box/io";
import { RuntimeError } from "../errors.ts";
import {
  type ArchivePlan,
  checksumEntry,
  checksumEntryBytes,
  planArchive,
} from "./archive-plan.ts";
import { type ArchiveManifest, maxManifestBytes, parseManifest } from "./manifest.ts";

/** An archive whose checksum and structure are right. */
export interface OpenArchive {
  /** What it says about the box. */
  readonly manifest: ArchiveManifest;
  /** Where everything is. */
  readonly plan: ArchivePlan;
}

const stepBytes = 1024 * 1024;
const headerBytes = 512;

/**
 * Reads an archive from end to end before anything of it is believed: the checksum covers every byte before it, and what
 * is not content must be, byte for byte, what this version would write.
 *
 * @throws RuntimeError `BOX_ARCHIVE_CORRUPT`, `BOX_ARCHIVE_TOO_NEW`; IoError.
 */
export async function readArchive(
  file: OpenFile,
  path: string,
  signal: AbortSignal,
): Promise<OpenArchive> {
  const sizeBytes = await file.size();
  const checksumOffset = sizeBytes - checksumEntryBytes;
  if (checksumOffset < headerBytes) throw corrupt(path, "it is too short");
  const end = await file.read(checksumOffset, checksumEntryBytes);
  const expected = checksumEntry(await hashUpTo(file, checksumOffset, signal));
  if (!isSame(end, expected)) throw corrupt(path, "its checksum does not match its content");
  const manifestBytes = await readManifest(file, path, checksumOffset);
  const parsed = parseManifest(manifestBytes);
  if ("version" in parsed) throw tooNew(path, parsed.version);
  if ("fault" in parsed) throw corrupt(path, parsed.fault);
  const { manifest } = parsed;
  const plan = planArchive(manifest, manifestBytes.byteLength);
  if (plan.checksumOffset !== checksumOffset) throw corrupt(path, "its entries do not fill it");
  for (const { header, offset } of plan.pieces) {
    const found = await file.read(offset - header.byteLength, header.byteLength);
    if (!isSame(found, header)) throw corrupt(path, "its entries are not those described");
  }
  return { manifest, plan };
}

/** The refusal of an archive. */
export function corrupt(path: string, reason: string, cause?: unknown): RuntimeError {
  return new RuntimeError({
    code: "BOX_ARCHIVE_CORRUPT",
    message: `cannot import ${path}: ${reason}`,
    details: { path, reason },
    hint: "copy the archive again from where it was made",
    ...(cause === undefined ? {} : { cause }),
  });
}

/** The first entry: its size stands in eleven octal digits of its header. */
async function readManifest(file: OpenFile, path: string, end: number): Promise<Uint8Array> {
  const field = new TextDecoder("latin1").decode(await file.read(124, 12));
  const sizeBytes = /^[0-7]{11}\0$/.test(field) ? Number.parseInt(field, 8) : Number.NaN;
  if (!(sizeBytes <= maxManifestBytes && headerBytes + sizeBytes <= end)) {
    throw corrupt(path, "it does not begin with the description of a box");
  }
  return file.read(headerBytes, sizeBytes);
}

async function hashUpTo(file: OpenFile, end: number, signal: AbortSignal): Promise<string> {
  const hash = createHash("sha256");
  for (let offset = 0; offset < end; offset += stepBytes) {
    signal.throwIfAborted();
    hash.update(await file.read(offset, Math.min(stepBytes, end - offset)));
  }
  return hash.digest("hex");
}

function isSame(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}

function tooNew(path: string, version: number): RuntimeError {
  return new RuntimeError({
    code: "BOX_ARCHIVE_TOO_NEW",
    message: `cannot import ${path}: it has version ${version}, which this version of box does not know`,
    details: { path, found: version },
    hint: "import it with the version of box that made it",
  });
}
