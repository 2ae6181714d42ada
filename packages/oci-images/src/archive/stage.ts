import { join } from "node:path";
import { isBoxError } from "@box/errors";
import type { OpenFile } from "@box/io";
import { openFile } from "@box/io/node";
import { type Digest, Digester, OrasError } from "@box/oras";
import { type TarEntry, TarParser } from "@box/tar";
import { ImageError } from "../errors.ts";
import { detectCompression, magicBytes } from "../layer/compression.ts";
import { decompress } from "../layer/decompress.ts";
import { peek } from "../layer/peek.ts";

/** A file of an archive, copied out of it under a name of our own. */
export interface StagedFile {
  /** Where it is now. */
  readonly path: string;
  /** Its size in bytes. */
  readonly size: number;
  /** Its digest. */
  readonly digest: Digest;
  /** Its first bytes. */
  readonly start: Uint8Array;
}

/** The files of an archive by their normalised names. Links lead to names, never to the host's files. */
export interface StagedArchive {
  /** Regular files. */
  readonly files: ReadonlyMap<string, StagedFile>;
  /** Symbolic and hard links among them. */
  readonly links: ReadonlyMap<string, string>;
}

/** An archive: a file's path, or its bytes and what to call them in messages. */
export type ArchiveInput =
  | string
  | { readonly chunks: AsyncIterable<Uint8Array>; readonly what: string };

/** Options of {@link stageArchive}. */
export interface StageArchiveOptions {
  /** An empty folder for the files. */
  readonly folder: string;
  /** The most bytes of all files together. */
  readonly maxBytes: number;
  /** Stops between chunks. */
  readonly signal?: AbortSignal | undefined;
}

type Operation =
  | { readonly type: "begin"; readonly name: string }
  | { readonly type: "data"; readonly bytes: Uint8Array }
  | { readonly type: "end" };

const stepBytes = 1024 * 1024;
const maxEntries = 100_000;

/**
 * Copies the files out of an archive, plain or compressed, in one pass. No name of the archive becomes a name on the
 * host.
 *
 * @throws {@link ImageError} `OCI_ARCHIVE_CORRUPT`, `OCI_LAYER_TOO_LARGE`; OrasError `OCI_NOT_FOUND`; IoError.
 */
export async function stageArchive(
  input: ArchiveInput,
  options: StageArchiveOptions,
): Promise<StagedArchive> {
  const what = typeof input === "string" ? input : input.what;
  const bytes =
    typeof input === "string"
      ? readFile(input, options.signal)
      : stoppable(input.chunks, options.signal);
  const { start, chunks: archive } = await peek(bytes, magicBytes);
  const links = new Map<string, string>();
  const operations: Operation[] = [];
  const parser = new TarParser(
    {
      entry: (entry) => beginEntry(entry, operations, links),
      data: (chunk) => operations.push({ type: "data", bytes: chunk.slice() }),
      end: () => operations.push({ type: "end" }),
    },
    { maxEntries },
  );
  const stager = new Stager(options);
  try {
    const chunks = decompress(archive, detectCompression(start));
    for await (const chunk of chunks) {
      for (let at = 0; at < chunk.byteLength; at += stepBytes) {
        parser.push(chunk.subarray(at, at + stepBytes));
        await stager.apply(operations.splice(0));
      }
    }
    parser.finish();
    await stager.apply(operations.splice(0));
  } catch (error) {
    throw toArchiveError(error, what);
  } finally {
    await stager.close();
    await bytes.return();
  }
  return { files: stager.files, links };
}

/** Finds a file by name, through links. */
export function findStaged(archive: StagedArchive, name: string): StagedFile | undefined {
  let current = normalize(name);
  for (let hops = 0; hops < 16; hops++) {
    const file = archive.files.get(current);
    if (file !== undefined) return file;
    const next = archive.links.get(current);
    if (next === undefined) return undefined;
    current = next;
  }
  return undefined;
}

/** Writes files one after the other, as the parser meets them. */
class Stager {
  readonly files: Map<string, StagedFile> = new Map();
  readonly #options: StageArchiveOptions;
  #current: { name: string; path: string; file: OpenFile; digester: Digester } | undefined;
  #size = 0;
  #total = 0;
  #start: Uint8Array = new Uint8Array(0);

  constructor(options: StageArchiveOptions) {
    this.#options = options;
  }

  async apply(operations: readonly Operation[]): Promise<void> {
    for (const operation of operations) {
      if (operation.type === "begin") await this.#begin(operation.name);
      else if (operation.type === "data") await this.#write(operation.bytes);
      else await this.#end();
    }
  }

  async close(): Promise<void> {
    await this.#current?.file.close();
    this.#current = undefined;
  }

  async #begin(name: string): Promise<void> {
    const path = join(this.#options.folder, String(this.files.size));
    const file = await openFile(path, { mode: "create" });
    this.#current = { name, path, file, digester: new Digester() };
    this.#size = 0;
    this.#start = new Uint8Array(0);
  }

  async #write(bytes: Uint8Array): Promise<void> {
    if (this.#current === undefined) return;
    this.#total += bytes.byteLength;
    if (this.#total > this.#options.maxBytes) {
      throw new ImageError({
        code: "OCI_LAYER_TOO_LARGE",
        message: `cannot read the archive: its files exceed ${this.#options.maxBytes} bytes`,
      });
    }
    if (this.#size === 0) this.#start = bytes.slice(0, 6);
    await this.#current.file.write?.(this.#size, bytes);
    this.#current.digester.update(bytes);
    this.#size += bytes.byteLength;
  }

  async #end(): Promise<void> {
    if (this.#current === undefined) return;
    const { name, path, file, digester } = this.#current;
    this.#current = undefined;
    await file.close();
    const staged = { path, size: this.#size, digest: digester.digest(), start: this.#start };
    this.files.set(name, staged);
  }
}

function beginEntry(entry: TarEntry, operations: Operation[], links: Map<string, string>): void {
  const name = normalize(decode(entry.path));
  if (entry.type === "file") operations.push({ type: "begin", name });
  else if (entry.type === "symlink") {
    links.set(name, normalize(join(name, "..", decode(entry.linkPath))));
  } else if (entry.type === "hardlink") links.set(name, normalize(decode(entry.linkPath)));
}

/** `./a/../b` is `b`; nothing leads out of the archive's root. */
function normalize(name: string): string {
  return join("/", name).slice(1);
}

function decode(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}

async function* readFile(
  path: string,
  signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array, void, undefined> {
  await using file = await openArchive(path);
  const size = await file.size();
  for (let at = 0; at < size; at += stepBytes) {
    signal?.throwIfAborted();
    yield await file.read(at, Math.min(stepBytes, size - at));
  }
}

async function* stoppable(
  chunks: AsyncIterable<Uint8Array>,
  signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array, void, undefined> {
  for await (const chunk of chunks) {
    signal?.throwIfAborted();
    yield chunk;
  }
}

async function openArchive(path: string): Promise<OpenFile> {
  try {
    return await openFile(path);
  } catch (error) {
    if (!isBoxError(error) || error.code !== "IO_NOT_FOUND") throw error;
    throw new OrasError({
      code: "OCI_NOT_FOUND",
      message: `cannot find the archive ${path}`,
      details: { path },
      hint: "check the path",
      cause: error,
    });
  }
}

function toArchiveError(error: unknown, path: string): unknown {
  if (!isBoxError(error)) return error;
  const isMalformed = error.code.startsWith("TAR_") || error.code === "OCI_LAYER_CORRUPT";
  if (!isMalformed) return error;
  return new ImageError({
    code: "OCI_ARCHIVE_CORRUPT",
    message: `cannot read the archive ${path}: ${error.message}`,
    details: { path },
    cause: error,
  });
}
