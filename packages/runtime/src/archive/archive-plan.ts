import { tarEnd, tarHeader, tarPadding } from "@box/tar";
import type { ArchiveManifest } from "./manifest.ts";

/** An entry of an archive. */
export interface ArchivePiece {
  /** The blocks before its content. */
  readonly header: Uint8Array;
  /** Where its content begins, in bytes. */
  readonly offset: number;
  /** Size of its content in bytes. */
  readonly sizeBytes: number;
  /** Which content it is. */
  readonly content:
    | { readonly type: "manifest" }
    | { readonly type: "disk"; readonly role: "user" | "guest" }
    | { readonly type: "base"; readonly digest: string };
}

/** Every byte of an archive but the contents follows from its description. */
export interface ArchivePlan {
  /** The entries, in order. */
  readonly pieces: readonly ArchivePiece[];
  /** Where the last entry, the checksum, begins. */
  readonly checksumOffset: number;
}

const encoder = new TextEncoder();

/**
 * Plans an archive: a tar file of `box.json`, the overlays, the bases that are included, and at its end `sha256` with the
 * digest of everything before.
 *
 * @param manifestBytes - Size of `box.json`.
 */
export function planArchive(manifest: ArchiveManifest, manifestBytes: number): ArchivePlan {
  const entries: readonly (readonly [string, number, ArchivePiece["content"]])[] = [
    ["box.json", manifestBytes, { type: "manifest" }],
    ...manifest.disks.map(
      ({ role, sizeBytes }) => [`disks/${role}.qcow2`, sizeBytes, { type: "disk", role }] as const,
    ),
    ...manifest.bases
      .filter(({ isIncluded }) => isIncluded)
      .map(
        ({ digest, sizeBytes }) =>
          [
            `bases/${digest.slice("sha256:".length)}.img`,
            sizeBytes,
            { type: "base", digest },
          ] as const,
      ),
  ];
  let offset = 0;
  const pieces = entries.map(([path, sizeBytes, content]): ArchivePiece => {
    const header = headerOf(path, sizeBytes);
    const piece = { header, offset: offset + header.byteLength, sizeBytes, content };
    offset = piece.offset + sizeBytes + tarPadding(sizeBytes).byteLength;
    return piece;
  });
  return { pieces, checksumOffset: offset };
}

/** The last bytes of an archive. @param hexDigest - Of everything before. */
export function checksumEntry(hexDigest: string): Uint8Array {
  const content = encoder.encode(`${hexDigest}\n`);
  return Buffer.concat([
    headerOf("sha256", content.byteLength),
    content,
    tarPadding(content.byteLength),
    tarEnd(),
  ]);
}

/** How many bytes {@link checksumEntry} has. */
export const checksumEntryBytes: number = 512 + 512 + 1024;

function headerOf(path: string, sizeBytes: number): Uint8Array {
  const none = new Uint8Array(0);
  return Buffer.concat(
    tarHeader({
      path: encoder.encode(path),
      type: "file",
      mode: 0o600,
      uid: 0,
      gid: 0,
      sizeBytes,
      mtime: { seconds: 0, nanoseconds: 0 },
      linkPath: none,
      deviceMajor: 0,
      deviceMinor: 0,
      xattrs: [],
    }),
  );
}
