import { createHash } from "node:crypto";
import { buildTar } from "@box/tar";
import type { LayerSource } from "../merge/layer-source.ts";

/** A file put on top of an image, in the place of what has its path; a folder there is refused. */
export interface InjectedFile {
  /** Absolute path in the image; missing folders are made. */
  readonly path: string;
  /** Its content. */
  readonly content: Uint8Array;
  /** Permission bits; 0644 unless given. */
  readonly mode?: number;
  /** Owner; root unless given. */
  readonly uid?: number;
  /** Group; root unless given. */
  readonly gid?: number;
}

/**
 * Makes the layer that puts files on top of an image. The order in which files are given does not matter.
 *
 * @param epochSeconds - The files' time of modification.
 */
export function injectedLayer(files: readonly InjectedFile[], epochSeconds: number): LayerSource {
  const encoder = new TextEncoder();
  const noBytes = new Uint8Array(0);
  const sorted = files.toSorted((a, b) => Buffer.compare(Buffer.from(a.path), Buffer.from(b.path)));
  const archive = buildTar(
    sorted.map(({ path, content, mode = 0o644, uid = 0, gid = 0 }) => ({
      entry: {
        path: encoder.encode(path.replace(/^\/+/, "")),
        type: "file",
        mode,
        uid,
        gid,
        sizeBytes: content.byteLength,
        mtime: { seconds: epochSeconds, nanoseconds: 0 },
        linkPath: noBytes,
        deviceMajor: 0,
        deviceMinor: 0,
        xattrs: [],
      },
      content,
    })),
  );
  const diffId = `sha256:${createHash("sha256").update(archive).digest("hex")}`;
  return {
    diffId,
    isInjected: true,
    async *open() {
      yield archive;
    },
  };
}
