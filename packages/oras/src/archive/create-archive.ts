import { createFileDurably } from "@box/io/node";
import type { CopyDestination } from "../content/target.ts";
import { type ArchiveSink, ChunkStream, fileSink } from "./archive-sink.ts";
import { ArchiveWriter, type ArchiveWriterOptions } from "./archive-writer.ts";

/** Options of {@link createArchive}. */
export interface CreateArchiveOptions extends ArchiveWriterOptions {
  /** Whether a file that is there is replaced; false unless given. */
  readonly overwrite?: boolean;
  /** Stops before the file gets its name. */
  readonly signal?: AbortSignal | undefined;
}

/** Puts content into an archive: `(archive) => copy(repository, "v1", archive, "app:v1")`. */
export type FillArchive<T> = (archive: CopyDestination) => Promise<T>;

/**
 * Writes an archive of images into a file, as content is copied into it. The file is whole under its name, or not there.
 *
 * Layers are stored as they come. What has no name and nothing refers to is listed without one.
 *
 * @param fill - Copies into the archive; when it is done, the archive is.
 * @returns What `fill` returned.
 * @throws OrasError `OCI_INVALID_REFERENCE` for a name that the form cannot keep, `ORAS_UNSUPPORTED` for an index in a
 * docker archive; what `fill` throws; IoError, `IO_EXISTS` among them.
 */
export async function createArchive<T>(
  path: string,
  fill: FillArchive<T>,
  options: CreateArchiveOptions = {},
): Promise<T> {
  const { overwrite = false, signal } = options;
  return createFileDurably(path, async (file) => fillSink(fileSink(file), fill, options), {
    mode: 0o644,
    exclusive: !overwrite,
    ...(signal === undefined ? {} : { signal }),
  });
}

/**
 * The same as chunks, for standard output and the like. Content is copied as far as chunks are asked for; a blob that
 * turns out to be wrong on its way makes the archive worthless.
 *
 * @throws What {@link createArchive} throws, from the iteration.
 */
export async function* streamArchive(
  fill: FillArchive<unknown>,
  options: ArchiveWriterOptions = {},
): AsyncGenerator<Uint8Array, void, undefined> {
  const stream = new ChunkStream();
  const work = fillSink(stream, fill, options).then(
    () => stream.end(),
    (error: unknown) => stream.end(error),
  );
  try {
    yield* stream.read();
  } finally {
    // A reader that stops early stops the writer.
    stream.end();
    await work;
  }
}

async function fillSink<T>(
  sink: ArchiveSink,
  fill: FillArchive<T>,
  options: ArchiveWriterOptions,
): Promise<T> {
  const writer = new ArchiveWriter(sink, options);
  const result = await fill(writer);
  await writer.finish();
  return result;
}
