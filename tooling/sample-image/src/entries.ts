import type { LayerFile } from "./tar.ts";

/** What may differ from file to file; everything else has one fixed value. */
export interface EntryOptions {
  /** Permission bits with setuid, setgid and sticky. */
  readonly mode?: number;
  /** Numeric owner and group. */
  readonly owner?: number;
  /** Nanoseconds of the modification time, beyond {@link sampleTimeSeconds}. */
  readonly nanoseconds?: number;
  /** Extended attributes: full names and values. */
  readonly xattrs?: Readonly<Record<string, Uint8Array>>;
}

/** When every file of the sample was changed last, in seconds since 1970: 2026-01-02 03:04:05 UTC. */
export const sampleTimeSeconds = 1767323045;

/** A directory; its files follow it in the layer. */
export function directory(path: string, options: EntryOptions = {}): LayerFile {
  return layerFile("directory", path, { mode: 0o755, ...options });
}

/** A regular file. Text is kept as UTF-8. */
export function file(
  path: string | Uint8Array,
  content: string | Uint8Array,
  options: EntryOptions = {},
): LayerFile {
  return { ...layerFile("file", path, { mode: 0o644, ...options }), content: encoded(content) };
}

/** A symbolic link. */
export function symlink(path: string, linkPath: string): LayerFile {
  return { ...layerFile("symlink", path, { mode: 0o777 }), linkPath };
}

/** Another name for a file of this layer or of a lower one. */
export function hardlink(path: string, linkPath: string): LayerFile {
  return { ...layerFile("hardlink", path, { mode: 0o644 }), linkPath };
}

/** A whiteout: the file or directory of this name in lower layers is gone. */
export function whiteout(folder: string, name: string): LayerFile {
  return file(`${folder}/.wh.${name}`, "");
}

/** An opaque whiteout: of lower layers, this directory keeps nothing. */
export function opaque(folder: string): LayerFile {
  return file(`${folder}/.wh..wh..opq`, "");
}

function layerFile(
  type: LayerFile["type"],
  path: string | Uint8Array,
  { mode = 0, owner = 0, nanoseconds = 0, xattrs = {} }: EntryOptions,
): LayerFile {
  return {
    type,
    path: encoded(path),
    mode,
    owner,
    seconds: sampleTimeSeconds,
    nanoseconds,
    linkPath: "",
    xattrs,
    content: new Uint8Array(0),
  };
}

function encoded(text: string | Uint8Array): Uint8Array {
  return typeof text === "string" ? new TextEncoder().encode(text) : text;
}
