import type { OciLayout } from "@box/oras";
import { type WriteArchiveOptions, writeArchive } from "../archive/write-archive.ts";
import type { Image } from "../image/image.ts";
import { leaseIfWritable } from "./lease-image.ts";

/** Writes an image of a layout as an archive; nobody collects it meanwhile. */
export async function* exportImage(
  layout: OciLayout,
  image: Image,
  options: WriteArchiveOptions,
): AsyncGenerator<Uint8Array, void, undefined> {
  await using _lease = await leaseIfWritable(layout, image, options);
  yield* writeArchive(layout, image, options);
}
