import { join } from "node:path";
import { isBoxError } from "@box/errors";
import type { OpenFile } from "@box/io";
import { type FileSystem, openFile, removeFileDurably, renameDurably } from "@box/io/node";
import type { Descriptor } from "../content/descriptor.ts";
import { Digester, digestAlgorithm } from "../content/digest.ts";
import { releaseChunk } from "../content/release-chunk.ts";
import type { BlobSource } from "../content/target.ts";
import { wrongDigest, wrongSize } from "../content/verify.ts";
import { throwIfAborted } from "../transport/pacing.ts";
import { BlockWriter } from "./block-writer.ts";
import { partialName } from "./partial-blobs.ts";

/** Where a blob is collected and where it goes. */
export interface IngestOptions {
  /** The folder of partial downloads; it exists. */
  readonly folder: string;
  /** The final name, on the same file system. */
  readonly destination: string;
  /** Stops between chunks; what has arrived is kept. */
  readonly signal?: AbortSignal | undefined;
  /** The file system calls. */
  readonly fs?: FileSystem;
}

const stepBytes = 1024 * 1024;
const wrongCodes: ReadonlySet<string> = new Set(["OCI_DIGEST_MISMATCH", "OCI_SIZE_MISMATCH"]);

/**
 * Collects a blob in a partial file and gives it its final name once size and digest are right. The caller holds the
 * blob's lock.
 *
 * A partial file that an earlier process left is hashed again and continued. It is kept when the source fails, unless
 * nothing has arrived yet, and removed when the storage does. Wrong content is thrown away and fetched once more, whole.
 */
export async function ingestBlob(
  descriptor: Descriptor,
  source: BlobSource,
  options: IngestOptions,
): Promise<void> {
  const path = join(options.folder, partialName(descriptor.digest));
  const io = options.fs === undefined ? {} : { fs: options.fs };
  let isEmpty = false;
  try {
    const file = await openPartial(path, options.fs);
    try {
      await collect(file, descriptor, source, options);
      await file.flush?.();
    } catch (error) {
      isEmpty = (await file.size().catch(() => 1)) === 0;
      throw error;
    } finally {
      await file.close();
    }
    await renameDurably(path, options.destination, io);
  } catch (error) {
    const isUseless =
      isBoxError(error) && (error.code.startsWith("IO_") || wrongCodes.has(error.code));
    if (isEmpty || isUseless) {
      await removeFileDurably(path, io).catch(() => {});
    }
    throw error;
  }
}

async function openPartial(path: string, fs?: FileSystem): Promise<OpenFile> {
  const io = fs === undefined ? {} : { fs };
  try {
    return await openFile(path, { mode: "rw", followLink: false, ...io });
  } catch (error) {
    if (!isBoxError(error) || error.code !== "IO_NOT_FOUND") throw error;
    return openFile(path, { mode: "create", followLink: false, ...io });
  }
}

async function collect(
  file: OpenFile,
  descriptor: Descriptor,
  source: BlobSource,
  options: IngestOptions,
): Promise<void> {
  const mismatch = await append(file, descriptor, source, options);
  if (mismatch === undefined) return;
  await file.truncate?.(0);
  const again = await append(file, descriptor, source, options);
  if (again === undefined) return;
  await file.truncate?.(0);
  throw again;
}

/** Continues a partial file to its end. @returns What is wrong with the content, if anything. */
async function append(
  file: OpenFile,
  descriptor: Descriptor,
  source: BlobSource,
  options: IngestOptions,
): Promise<Error | undefined> {
  const digester = new Digester(digestAlgorithm(descriptor.digest));
  let position = await rehash(file, descriptor, digester, options.signal);
  if (position < descriptor.size || descriptor.size === 0) {
    const writer = new BlockWriter(file, {
      offset: position,
      onBytes: (bytes) => digester.update(bytes),
    });
    try {
      for await (const chunk of await source.open(position)) {
        throwIfAborted(options.signal);
        position += chunk.byteLength;
        if (position > descriptor.size) {
          return wrongSize(descriptor, `more than ${descriptor.size}`, source.place);
        }
        await writer.add(chunk);
        if (source.ownsNoChunks) releaseChunk(chunk);
      }
    } finally {
      await writer.finish();
    }
  }
  if (position !== descriptor.size) {
    return wrongSize(descriptor, String(position), source.place);
  }
  const found = digester.digest();
  if (found === descriptor.digest) return undefined;
  return wrongDigest(descriptor.digest, found, source.place);
}

async function rehash(
  file: OpenFile,
  descriptor: Descriptor,
  digester: Digester,
  signal?: AbortSignal,
): Promise<number> {
  const size = await file.size();
  if (size > descriptor.size) {
    await file.truncate?.(0);
    return 0;
  }
  const buffer = new Uint8Array(Math.min(stepBytes, size));
  for (let position = 0; position < size; position += stepBytes) {
    throwIfAborted(signal);
    digester.update(await file.read(position, Math.min(stepBytes, size - position), buffer));
  }
  return size;
}
