import { join } from "node:path";
import { isBoxError } from "@box/errors";
import { openFile } from "@box/io/node";
import { detectCompression, magicBytes, type OperationOptions, OrasError } from "@box/oras";
import { ImageError } from "../errors.ts";
import { decompress } from "../layer/decompress.ts";
import { peek } from "../layer/peek.ts";
import { createSpoolFolder } from "./spool-folder.ts";

/** An archive: a file's path, or its bytes and what to call them in messages. */
export type ArchiveInput =
  | string
  | { readonly chunks: AsyncIterable<Uint8Array>; readonly what: string };

/** Options of {@link plainArchive}. */
export interface PlainArchiveOptions extends OperationOptions {
  /** A folder for temporary files. */
  readonly folder: string;
  /** The most bytes of an archive that must be written out to be read; 64 GiB unless given. */
  readonly maxBytes?: number;
}

/** An archive that can be read in place. */
export interface PlainArchive extends AsyncDisposable {
  /** Where it is. */
  readonly path: string;
  /** What to call it in messages. */
  readonly what: string;
}

const stepBytes = 1024 * 1024;

/**
 * Makes an archive one that can be read in place: a compressed one, or one that comes as a stream, is written into a
 * temporary file, which goes when the result is disposed of.
 *
 * @throws {@link ImageError} `OCI_LAYER_TOO_LARGE`, `OCI_COMPRESSION_UNSUPPORTED`; OrasError `OCI_ARCHIVE_CORRUPT`; IoError.
 */
export async function plainArchive(
  input: ArchiveInput,
  options: PlainArchiveOptions,
): Promise<PlainArchive> {
  if (typeof input !== "string") return spool(input.chunks, input.what, options);
  if (await isCompressed(input)) return spool(readFile(input), input, options);
  return { path: input, what: input, [Symbol.asyncDispose]: async () => {} };
}

async function spool(
  chunks: AsyncIterable<Uint8Array>,
  what: string,
  options: PlainArchiveOptions,
): Promise<PlainArchive> {
  const folder = await createSpoolFolder(options.folder);
  const path = join(folder.path, "archive.tar");
  try {
    await writeOut(chunks, path, what, options);
  } catch (error) {
    await folder[Symbol.asyncDispose]();
    throw error;
  }
  return { path, what, [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose]() };
}

async function writeOut(
  input: AsyncIterable<Uint8Array>,
  path: string,
  what: string,
  { signal, maxBytes = 64 * 1024 ** 3 }: PlainArchiveOptions,
): Promise<void> {
  const bytes = stoppable(input, signal);
  const { start, chunks } = await peek(bytes, magicBytes);
  await using file = await openFile(path, { mode: "create" });
  let size = 0;
  try {
    for await (const chunk of decompress(chunks, detectCompression(start))) {
      if (size + chunk.byteLength > maxBytes) throw tooLarge(what, maxBytes);
      await file.write?.(size, chunk);
      size += chunk.byteLength;
    }
  } catch (error) {
    throw toArchiveError(error, what);
  } finally {
    await bytes.return();
  }
}

async function isCompressed(path: string): Promise<boolean> {
  try {
    await using file = await openFile(path);
    return detectCompression(await file.read(0, magicBytes)) !== "none";
  } catch (error) {
    // Whoever opens it says so.
    if (isBoxError(error) && error.code === "IO_NOT_FOUND") return false;
    throw error;
  }
}

async function* readFile(path: string): AsyncGenerator<Uint8Array, void, undefined> {
  await using file = await openFile(path);
  const size = await file.size();
  for (let at = 0; at < size; at += stepBytes) {
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

function toArchiveError(error: unknown, what: string): unknown {
  if (!isBoxError(error) || error.code !== "OCI_LAYER_CORRUPT") return error;
  return new OrasError({
    code: "OCI_ARCHIVE_CORRUPT",
    message: `cannot read archive ${what}: ${error.message}`,
    details: { path: what },
    cause: error,
  });
}

function tooLarge(what: string, maxBytes: number): ImageError {
  return new ImageError({
    code: "OCI_LAYER_TOO_LARGE",
    message: `cannot read archive ${what}: it exceeds ${maxBytes} bytes`,
  });
}
