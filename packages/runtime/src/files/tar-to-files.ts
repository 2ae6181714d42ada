import { type TarEntry, TarParser } from "@box/tar";
import { VmError } from "@box/vm";
import type { FileEvent, FileRecord } from "./file-event.ts";

/** What {@link tarToFiles} takes. */
export interface TarToFilesOptions {
  /** Whether a folder that the archive does not have is there already, by its path: then it is left as it is. */
  readonly isFolder: (path: Uint8Array) => Promise<boolean>;
}

const zeros = new Uint8Array(64 * 1024);
const none = new Uint8Array(0);

/**
 * Unpacks a tar archive as files. Names are judged: `./` and a slash at the beginning are dropped, `..` is refused. Folders that the
 * archive does not have are made when they are not there.
 *
 * @throws TarError; VmError `VM_FILE_UNSUPPORTED` for devices and pipes, `VM_FILE_FAILED` for a name that leads out.
 */
export async function* tarToFiles(
  chunks: AsyncIterable<Uint8Array>,
  { isFolder }: TarToFilesOptions,
): AsyncGenerator<FileEvent, void> {
  const folders = new Set<string>();
  const reader = new TarReader();
  const complete = async function* (events: readonly FileEvent[]) {
    for (const event of events) {
      if (event.type === "record") yield* missingFolders(event.record, folders, isFolder);
      yield event;
    }
  };
  for await (const chunk of chunks) yield* complete(reader.push(chunk));
  yield* complete(reader.finish());
}

/** Turns what a parser tells at once into events. */
class TarReader {
  readonly #parser: TarParser;
  #events: FileEvent[] = [];
  #offset = 0;
  #sizeBytes = 0;

  constructor() {
    this.#parser = new TarParser({
      entry: (entry) => this.#begin(entry),
      data: (chunk, offset) => {
        this.#fill(offset);
        this.#events.push({ type: "content", bytes: chunk.slice() });
        this.#offset = offset + chunk.byteLength;
      },
      end: () => this.#fill(this.#sizeBytes),
    });
  }

  push(chunk: Uint8Array): FileEvent[] {
    this.#parser.push(chunk);
    return this.#take();
  }

  finish(): FileEvent[] {
    this.#parser.finish();
    return this.#take();
  }

  #begin(entry: TarEntry): void {
    this.#offset = 0;
    this.#sizeBytes = 0;
    const path = cleanPath(entry.path);
    if (path.byteLength === 0) return;
    const record = recordOf(entry, path);
    this.#sizeBytes = record.sizeBytes;
    this.#events.push({ type: "record", record });
  }

  /** A hole is sent as the zeros that it reads as. */
  #fill(offset: number): void {
    while (this.#offset < offset) {
      const bytes = zeros.subarray(0, offset - this.#offset);
      this.#offset += bytes.byteLength;
      this.#events.push({ type: "content", bytes });
    }
  }

  #take(): FileEvent[] {
    const events = this.#events;
    this.#events = [];
    return events;
  }
}

async function* missingFolders(
  { kind, path }: FileRecord,
  folders: Set<string>,
  isFolder: (path: Uint8Array) => Promise<boolean>,
): AsyncGenerator<FileEvent, void> {
  const name = Buffer.from(path).toString("latin1");
  for (let at = name.indexOf("/"); at > 0; at = name.indexOf("/", at + 1)) {
    const parent = name.slice(0, at);
    if (folders.has(parent)) continue;
    folders.add(parent);
    const bytes = Buffer.from(parent, "latin1");
    if (!(await isFolder(bytes))) yield { type: "record", record: emptyFolder(bytes) };
  }
  if (kind === "directory") folders.add(name);
}

function emptyFolder(path: Uint8Array): FileRecord {
  const mtimeNs = BigInt(Date.now()) * 1_000_000n;
  const base = { mode: 0o755, uid: 0, gid: 0, mtimeNs, sizeBytes: 0 };
  return { kind: "directory", ...base, path, linkTarget: none };
}

function recordOf(entry: TarEntry, path: Uint8Array): FileRecord {
  const { type, mode, uid, gid, mtime } = entry;
  if (type === "char" || type === "block" || type === "fifo") {
    throw new VmError({
      code: "VM_FILE_UNSUPPORTED",
      message: `the archive has a ${type === "fifo" ? "pipe" : "device"}: ${textOf(path)}`,
      details: { path: textOf(path), type },
      hint: "leave it out of the archive",
    });
  }
  const linkTargets = { symlink: entry.linkPath, hardlink: cleanPath(entry.linkPath) };
  return {
    kind: type,
    mode: mode & 0o7777,
    uid,
    gid,
    mtimeNs: BigInt(mtime.seconds) * 1_000_000_000n + BigInt(mtime.nanoseconds),
    sizeBytes: type === "file" ? entry.sizeBytes : 0,
    path,
    linkTarget: type === "symlink" || type === "hardlink" ? linkTargets[type] : none,
  };
}

/** A path below the folder that is unpacked into; empty for that folder itself. */
function cleanPath(path: Uint8Array): Uint8Array {
  const parts = Buffer.from(path).toString("latin1").split("/");
  const kept = parts.filter((part) => part !== "" && part !== ".");
  if (!kept.includes("..")) return Buffer.from(kept.join("/"), "latin1");
  throw new VmError({
    code: "VM_FILE_FAILED",
    message: `a name in the archive leads out of the folder: ${textOf(path)}`,
    details: { path: textOf(path) },
    hint: "pack it again without .. in its names",
  });
}

function textOf(path: Uint8Array): string {
  return JSON.stringify(Buffer.from(path).toString("utf8").slice(0, 200));
}
