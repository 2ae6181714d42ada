import { stat } from "node:fs/promises";
import { basename, dirname, resolve } from "node:path";
import { openFile } from "@box/io/node";
import { inspectImage } from "@box/qcow2";
import type { Narrator } from "./narrator.ts";
import { formatSize } from "./sizes.ts";

/** An overlay and the base that it is made on, as the files themselves say. */
export interface DiskChain {
  /** The qcow2 overlay. */
  readonly overlay: string;
  /** The size of the disk that a virtual machine sees. */
  readonly virtualSizeBytes: number;
  /** Bytes that the overlay takes on this machine's disk. */
  readonly overlayAllocatedBytes: number;
  /** The base, read-only. */
  readonly base: string;
  /** The format that the overlay says its base has. */
  readonly baseFormat: string;
  /** Length of the base. */
  readonly baseSizeBytes: number;
  /** Bytes that the base takes on this machine's disk. */
  readonly baseAllocatedBytes: number;
}

/**
 * Reads which base an overlay is made on, from the overlay's own header.
 *
 * @throws Error when it names none, or one that is not there.
 */
export async function readDiskChain(overlay: string): Promise<DiskChain> {
  await using file = await openFile(overlay);
  const { backing, virtualSizeBytes } = await inspectImage(file);
  if (backing?.name === undefined) throw new Error(`${overlay} names no base`);
  const base = resolve(dirname(overlay), backing.name);
  const [overlayFile, baseFile] = [await stat(overlay), await stat(base)];
  return {
    overlay,
    virtualSizeBytes: Number(virtualSizeBytes),
    overlayAllocatedBytes: overlayFile.blocks * 512,
    base,
    baseFormat: backing.format ?? "unknown",
    baseSizeBytes: baseFile.size,
    baseAllocatedBytes: baseFile.blocks * 512,
  };
}

/** Draws a chain as two lines: the overlay and below it the base that it reads from. */
export function drawDiskChain(
  narrator: Narrator,
  chain: DiskChain,
  meaning: { readonly overlay: string; readonly base: string },
): void {
  const { overlayAllocatedBytes, virtualSizeBytes, baseAllocatedBytes, baseSizeBytes } = chain;
  narrator.show([
    `${narrator.paint("title", basename(chain.overlay))}   ${meaning.overlay}`,
    `│  takes ${formatSize(overlayAllocatedBytes)}; the machine sees a disk of ${formatSize(virtualSizeBytes)}`,
    `└─ ${narrator.paint("title", shortName(chain.base))}   ${meaning.base}`,
    `   takes ${formatSize(baseAllocatedBytes)} of ${formatSize(baseSizeBytes)}; format ${chain.baseFormat}, read-only`,
  ]);
}

/** The name of a base without the middle of its key, which is 64 digits long. */
export function shortName(path: string): string {
  return basename(path).replace(/^([0-9a-f]{12})[0-9a-f]{20,}/, "$1…");
}
