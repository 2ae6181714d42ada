import { createHash } from "node:crypto";
import { type ArchivePiece, checksumEntry, planArchive } from "../src/archive/archive-plan.ts";
import type { ArchiveManifest } from "../src/archive/manifest.ts";

/** A description of a box that somebody has meddled with; it may be anything. */
// biome-ignore lint/suspicious/noExplicitAny: what is not in the type is what the tests are about
export type LooseManifest = any;

/** The archive with its description changed and everything else, its checksum too, as it should be. */
export function rewritten(archive: Buffer, change: (manifest: LooseManifest) => void): Buffer {
  const { text, contents } = partsOf(archive);
  const manifest = JSON.parse(text) as LooseManifest;
  change(manifest);
  return archiveOf(JSON.parse(text) as ArchiveManifest, manifest, contents);
}

/** The archive with other bytes for the user's disk, described as they are. */
export function withUserDisk(
  archive: Buffer,
  change: (disk: Buffer) => Buffer,
  more: (manifest: LooseManifest) => void = () => {},
): Buffer {
  const { text, contents } = partsOf(archive);
  const disk = change(Buffer.from(contents.get("user") ?? []));
  const manifest = JSON.parse(text) as LooseManifest;
  for (const one of manifest.disks) {
    if (one.role !== "user") continue;
    one.sizeBytes = disk.byteLength;
    one.digest = `sha256:${createHash("sha256").update(disk).digest("hex")}`;
  }
  more(manifest);
  return archiveOf(manifest, manifest, new Map([...contents, ["user", disk]]));
}

/** Its description, and its contents by the role of a disk or the digest of a base. */
function partsOf(archive: Buffer): { text: string; contents: Map<string, Buffer> } {
  const size = Number.parseInt(archive.toString("latin1", 124, 135), 8);
  const text = archive.toString("utf8", 512, 512 + size);
  const contents = new Map<string, Buffer>();
  for (const { content, offset, sizeBytes } of planArchive(JSON.parse(text), size).pieces) {
    if (content.type === "manifest") continue;
    contents.set(nameOf(content), archive.subarray(offset, offset + sizeBytes));
  }
  return { text, contents };
}

function nameOf(content: Exclude<ArchivePiece["content"], { type: "manifest" }>): string {
  return content.type === "disk" ? content.role : content.digest;
}

/** @param planned - Says which entries there are; the archive describes itself by `manifest`. */
function archiveOf(
  planned: ArchiveManifest,
  manifest: LooseManifest,
  contents: ReadonlyMap<string, Buffer>,
): Buffer {
  const description = Buffer.from(JSON.stringify(manifest));
  const parts: Uint8Array[] = [];
  for (const { header, content } of planArchive(planned, description.byteLength).pieces) {
    const bytes =
      content.type === "manifest" ? description : (contents.get(nameOf(content)) ?? Buffer.of());
    parts.push(header, bytes, Buffer.alloc((512 - (bytes.byteLength % 512)) % 512));
  }
  const body = Buffer.concat(parts);
  return Buffer.concat([body, checksumEntry(createHash("sha256").update(body).digest("hex"))]);
}
