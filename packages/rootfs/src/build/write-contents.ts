import type { Ext4Plan } from "@box/ext4";
import type { RandomAccess } from "@box/io";
import { TarParser } from "@box/tar";
import { RootfsError } from "../errors.ts";
import type { LayerContents } from "../merge/content-index.ts";
import type { LayerSource } from "../merge/layer-source.ts";
import type { MergedLayers } from "../merge/merge-layers.ts";
import { ContentWriter } from "./content-writer.ts";

/** Options of {@link writeContents}. */
export interface WriteContentsOptions {
  /** Stops between two chunks. */
  readonly signal?: AbortSignal;
  /** Told how many bytes of content have been written. */
  readonly onProgress?: (writtenBytes: number) => void;
}

/**
 * Reads the layers a second time and writes the content of live files, and nothing else, to its planned places.
 *
 * @throws RootfsError `ROOTFS_LAYER_CHANGED` when a layer is not what it was when it was merged.
 */
export async function writeContents(
  plan: Ext4Plan,
  merged: MergedLayers,
  layers: readonly LayerSource[],
  sink: RandomAccess,
  options: WriteContentsOptions = {},
): Promise<void> {
  const writer = new ContentWriter(sink);
  try {
    for (const [index, layer] of layers.entries()) {
      const contents = merged.contentsOf(index);
      if (contents.nodes.length === 0) continue;
      await writeLayer(plan, contents, layer, writer, options);
    }
    await writer.finish();
  } finally {
    // The sink may be closed as soon as this has failed.
    await writer.settle();
  }
  options.onProgress?.(writer.writtenBytes);
}

async function writeLayer(
  plan: Ext4Plan,
  contents: LayerContents,
  layer: LayerSource,
  writer: ContentWriter,
  { signal, onProgress }: WriteContentsOptions,
): Promise<void> {
  const placer = new ContentPlacer(plan, contents, writer);
  const parser = new TarParser({
    entry: () => placer.nextEntry(),
    data: (chunk, fileOffset) => placer.data(chunk, fileOffset),
  });
  const stop = signal === undefined ? {} : { signal };
  for await (const chunk of layer.open({ isSecondReading: true, ...stop })) {
    signal?.throwIfAborted();
    parser.push(chunk);
    await writer.flush();
    onProgress?.(writer.writtenBytes);
  }
  parser.finish();
  if (placer.isComplete) return;
  throw new RootfsError({
    code: "ROOTFS_LAYER_CHANGED",
    message: `layer ${layer.diffId} changed while it was being built into a root file system`,
    details: { diffId: layer.diffId },
  });
}

/** Finds the place of each chunk: the live file of its entry, and the extent of the image for its offset. */
class ContentPlacer {
  readonly #plan: Ext4Plan;
  readonly #contents: LayerContents;
  readonly #writer: ContentWriter;
  #entry = -1;
  #next = 0;
  #extents: ReturnType<Ext4Plan["extents"]> | undefined;
  #extent = 0;

  constructor(plan: Ext4Plan, contents: LayerContents, writer: ContentWriter) {
    this.#plan = plan;
    this.#contents = contents;
    this.#writer = writer;
  }

  /** Whether every file has been met. */
  get isComplete(): boolean {
    return this.#next === this.#contents.entries.length;
  }

  nextEntry(): void {
    this.#entry += 1;
    this.#extents = undefined;
    if (this.#contents.entries[this.#next] !== this.#entry) return;
    this.#extents = this.#plan.extents(this.#contents.nodes[this.#next] as number);
    this.#extent = 0;
    this.#next += 1;
  }

  data(chunk: Uint8Array, fileOffset: number): void {
    if (this.#extents === undefined) return;
    let at = fileOffset;
    const end = fileOffset + chunk.byteLength;
    for (let extent = this.#extents[this.#extent]; extent !== undefined && at < end; ) {
      const extentEnd = extent.fileOffset + extent.length;
      // Content between extents is zeros in a hole.
      const from = Math.max(at, extent.fileOffset);
      const to = Math.min(end, extentEnd);
      if (from < to) {
        const bytes = chunk.subarray(from - fileOffset, to - fileOffset);
        this.#writer.add(extent.imageOffset + from - extent.fileOffset, bytes);
      }
      if (end < extentEnd) return;
      at = extentEnd;
      this.#extent += 1;
      extent = this.#extents[this.#extent];
    }
  }
}
