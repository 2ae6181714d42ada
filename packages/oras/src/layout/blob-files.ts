import { join } from "node:path";
import { isBoxError } from "@box/errors";
import type { OpenFile } from "@box/io";
import {
  errnoOf,
  type FileFacts,
  type FileSystem,
  nodeFileSystem,
  openFile,
  removeFileDurably,
  toIoError,
} from "@box/io/node";
import type { Descriptor } from "../content/descriptor.ts";
import { type Digest, Digester, digestAlgorithm, digestHex, isDigest } from "../content/digest.ts";
import { wrongSize } from "../content/verify.ts";
import { OrasError } from "../errors.ts";

/** A blob of a layout. */
export interface StoredBlob {
  /** Its address. */
  readonly digest: Digest;
  /** Its size in bytes. */
  readonly size: number;
  /** When its file last changed, in milliseconds since the epoch. */
  readonly changedMs: number;
}

const stepBytes = 1024 * 1024;

/** The folder `blobs` of a layout. */
export class BlobFiles {
  readonly #directory: string;
  readonly #fs: FileSystem;

  /** @param directory - The layout's. */
  constructor(directory: string, fs: FileSystem = nodeFileSystem) {
    this.#directory = directory;
    this.#fs = fs;
  }

  /** Where a blob is or would be. */
  path(digest: Digest): string {
    return join(this.#directory, "blobs", digestAlgorithm(digest), digestHex(digest));
  }

  /**
   * Opens a blob; nothing when it is not there.
   *
   * @param blocking - As for `openFile`: for blobs of a few KiB.
   */
  async open(digest: Digest, blocking = false): Promise<OpenFile | undefined> {
    try {
      return await openFile(this.path(digest), { fs: this.#fs, blocking });
    } catch (error) {
      if (isBoxError(error) && error.code === "IO_NOT_FOUND") return undefined;
      throw error;
    }
  }

  /** All blobs, in the order of their digests. Other files are left out. */
  async *list(): AsyncGenerator<StoredBlob, void, undefined> {
    for (const algorithm of ["sha256", "sha384", "sha512"]) {
      const folder = join(this.#directory, "blobs", algorithm);
      for (const name of (await readFolder(this.#fs, folder)).sort()) {
        const digest = `${algorithm}:${name}`;
        if (!isDigest(digest)) continue;
        const facts = await factsOf(this.#fs, join(folder, name));
        if (facts?.isFile())
          yield { digest, size: Number(facts.size), changedMs: Number(facts.mtimeMs) };
      }
    }
  }

  /** Whether a blob is there and not what its digest says. @throws IoError when it cannot be read. */
  async isRotten(digest: Digest, signal?: AbortSignal): Promise<boolean> {
    const file = await this.open(digest);
    if (file === undefined) return false;
    await using blob = file;
    const digester = new Digester(digestAlgorithm(digest));
    const size = await blob.size();
    for (let position = 0; position < size; position += stepBytes) {
      signal?.throwIfAborted();
      digester.update(await blob.read(position, Math.min(stepBytes, size - position)));
    }
    return digester.digest() !== digest;
  }

  /** Takes a blob away. @returns false when there was none. */
  async remove(digest: Digest): Promise<boolean> {
    return removeFileDurably(this.path(digest), { fs: this.#fs });
  }
}

/** Reads a blob's file and closes it. */
export async function* readChunks(
  file: OpenFile,
  descriptor: Descriptor,
  offset: number,
  signal?: AbortSignal,
): AsyncGenerator<Uint8Array, void, undefined> {
  await using blob = file;
  const size = await blob.size();
  if (size !== descriptor.size) throw wrongSize(descriptor, String(size));
  for (let position = offset; position < size; position += stepBytes) {
    signal?.throwIfAborted();
    yield await blob.read(position, Math.min(stepBytes, size - position));
  }
}

/** Nothing where another process has taken it away meanwhile. */
async function factsOf(fs: FileSystem, path: string): Promise<FileFacts | undefined> {
  try {
    return await fs.stat(path);
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return undefined;
    throw toIoError(error, { action: "cannot look at", path });
  }
}

async function readFolder(fs: FileSystem, folder: string): Promise<string[]> {
  try {
    return await fs.readdir(folder);
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return [];
    throw toIoError(error, { action: "cannot list", path: folder });
  }
}

/** A descriptor is taken from an index or a manifest: whoever asked has made no mistake, content is missing. */
export function incomplete(directory: string, digest: Digest): OrasError {
  return new OrasError({
    code: "OCI_NOT_FOUND",
    message: `cannot find ${digest} in image layout ${directory}`,
    details: { path: directory, reference: digest },
    hint: "the layout is damaged or incomplete: copy the image into it again",
  });
}
