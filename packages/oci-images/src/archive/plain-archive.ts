import { join } from "node:path";
import { isBoxError } from "@box/errors";
import { openFile } from "@box/io/node";
import {
  detectCompression,
  magicBytes,
  type OperationOptions,
  OrasError,
  untilAborted,
} from "@box/oras";
import { decompress } from "../layer/decompress.ts";
import { ExpansionGuard } from "../layer/expansion-guard.ts";
import { defaultLayerLimits, type LayerLimits } from "../layer/open-layer.ts";
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
  /** How far an archive may expand that must be written out to be read; as layers may unless given. */
  readonly layerLimits?: Partial<LayerLimits>;
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
 * @throws ImageError `OCI_LAYER_TOO_LARGE`, `OCI_COMPRESSION_UNSUPPORTED`; OrasError `OCI_ARCHIVE_CORRUPT`; IoError.
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
  { signal, layerLimits }: PlainArchiveOptions,
): Promise<void> {
  let inputBytes = 0;
  const count = (chunk: Uint8Array): void => {
    inputBytes += chunk.byteLength;
  };
  const bytes = counted(untilAborted(input, signal), count);
  const { start, chunks } = await peek(bytes, magicBytes);
  await using file = await openFile(path, { mode: "create" });
  const limits = { ...defaultLayerLimits, ...layerLimits };
  const guard = new ExpansionGuard(`cannot read archive ${what}`, limits);
  let size = 0;
  try {
    const compression = detectCompression(start);
    for await (const chunk of decompress(chunks, compression, {}, limits)) {
      guard.add(chunk.byteLength, inputBytes);
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

async function* counted(
  chunks: AsyncIterable<Uint8Array>,
  count: (chunk: Uint8Array) => void,
): AsyncGenerator<Uint8Array, void, undefined> {
  for await (const chunk of chunks) {
    count(chunk);
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
