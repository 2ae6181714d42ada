import { openFile } from "@box/io/node";
import { allowList, checkImage, type Qcow2Image } from "@box/qcow2";
import { openImageFile } from "@box/qcow2/node";
import type { BoxDetails } from "@box/runtime";
import { expect } from "vitest";

/** What the disk of the box `web` holds at its start. */
export const marker: Uint8Array = new TextEncoder().encode("the user's data");
/** What it holds at 20 MiB since its snapshot `s1`. */
export const later: Uint8Array = new TextEncoder().encode("after the snapshot");
const laterOffset = 20 * 1024 * 1024;

/** Gives a box the two pieces of data, and a snapshot between them. */
export async function fillBox(box: BoxDetails, snapshot: () => Promise<unknown>): Promise<void> {
  await write(box, 0, marker);
  await snapshot();
  await write(box, laterOffset, later);
}

/** What the user's disk holds at the two places; the image must be free of corruption. */
export async function contentOf(box: BoxDetails): Promise<readonly Uint8Array[]> {
  await using file = await openFile(box.disks.user?.path ?? "");
  expect((await checkImage(file)).counters).toMatchObject({ corruptions: 0 });
  await using image = await open(box, "r");
  return [
    new Uint8Array(await image.read(0, marker.byteLength)),
    new Uint8Array(await image.read(laterOffset, later.byteLength)),
  ];
}

async function write(box: BoxDetails, offset: number, bytes: Uint8Array): Promise<void> {
  await using image = await open(box, "rw");
  await image.write(offset, bytes);
}

async function open(box: BoxDetails, mode: "r" | "rw"): Promise<Qcow2Image> {
  const base = box.disks.user?.base?.path ?? "";
  const backing = allowList([
    { name: base, open: async () => ({ source: await openFile(base), format: "raw" as const }) },
  ]);
  return openImageFile(box.disks.user?.path ?? "", { mode, backing });
}
