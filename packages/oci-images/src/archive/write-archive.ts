import {
  type ArchiveFormat,
  type Descriptor,
  type Digest,
  type OciLayout,
  type OperationOptions,
  pinnedDigest,
  releaseChunk,
  streamArchive,
} from "@box/oras";
import type { Image } from "../image/image.ts";
import type { ArchivedBlob, ArchivedParts } from "./archived-blob.ts";
import { unpackedParts } from "./unpacked-image.ts";

/** Options of `writeArchive`. */
export interface WriteArchiveOptions extends OperationOptions {
  /** The form; `oci-archive` unless given. */
  readonly format?: ArchiveFormat;
  /**
   * The name that the image has in the archive; none unless given. A digest in it is left out: it is that of an index, or of a
   * manifest that docker archives have made anew. Without a tag nothing of it is left.
   */
  readonly name?: string;
  /** Told how much of a layer, of the config or of the manifest has been written, in bytes as they are in the archive. */
  readonly onProgress?: (digest: Digest, doneBytes: number, totalBytes: number) => void;
  /** A chunk is of use only until the next one is asked for: its memory is then used again. Saves much of the memory. */
  readonly hasTransientChunks?: boolean;
}

/**
 * Writes one image as an archive, chunk by chunk. The same image gives the same bytes. Layers are verified on their
 * way; in docker archives they are decompressed, because old versions of Docker want that.
 *
 * @throws ImageError and OrasError of damaged layers, from the iteration; the archive is then worthless.
 */
export async function* writeArchive(
  layout: OciLayout,
  image: Image,
  options: WriteArchiveOptions = {},
): AsyncGenerator<Uint8Array, void, undefined> {
  const { format = "oci-archive" } = options;
  const name = options.name === undefined ? undefined : nameWithoutDigest(options.name);
  const { parts, root } =
    format === "oci-archive"
      ? storedParts(layout, image, options)
      : await unpackedParts(layout, image, options);
  yield* streamArchive(
    async (archive) => {
      for (const part of [...parts, root]) {
        // The archive keeps its manifest.
        const isTransient = options.hasTransientChunks === true && part !== root;
        const open = async () => telling(await part.open(), part, { ...options, isTransient });
        await archive.push(part.descriptor, { open }, options);
      }
      if (name !== undefined) await archive.tag(root.descriptor, name);
    },
    // Whoever read the manifest has limited it.
    { format, maxManifestBytes: root.descriptor.size },
  );
}

function nameWithoutDigest(name: string): string | undefined {
  if (pinnedDigest(name) === undefined) return name;
  const at = name.lastIndexOf("@");
  const rest = name.slice(0, Math.max(at, 0));
  return /:[^/]*$/.test(rest) ? rest : undefined;
}

/** The image as it is in the store. */
function storedParts(layout: OciLayout, image: Image, { signal }: OperationOptions): ArchivedParts {
  const blob = (descriptor: Descriptor): ArchivedBlob => ({
    descriptor,
    stored: descriptor.digest,
    // The archive verifies what it is given.
    open: () => layout.fetch(descriptor, { signal, verify: false }),
  });
  const { config, layers } = image.manifest;
  return {
    parts: [config, ...layers].map(blob),
    root: blob({ ...image.descriptor, platform: image.platform }),
  };
}

async function* telling(
  chunks: AsyncIterable<Uint8Array>,
  { stored, descriptor }: ArchivedBlob,
  { onProgress, isTransient }: WriteArchiveOptions & { readonly isTransient: boolean },
): AsyncGenerator<Uint8Array, void, undefined> {
  let done = 0;
  for await (const chunk of chunks) {
    done += chunk.byteLength;
    yield chunk;
    if (isTransient) releaseChunk(chunk);
    onProgress?.(stored, done, descriptor.size);
  }
}
