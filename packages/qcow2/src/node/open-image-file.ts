import { type FilePath, openFile } from "@box/io/node";
import { openOwnedImage } from "../chain/open-image.ts";
import type { OpenImageOptions } from "../chain/open-options.ts";
import type { Qcow2Image } from "../image.ts";
import { nodeCodec } from "./node-codec.ts";

/** How {@link openImageFile} opens a file. */
export type OpenImageFileOptions = Omit<OpenImageOptions, "location">;

/**
 * Opens an image file, with Node's zlib for compressed clusters. The file is closed with the image.
 *
 * @throws `Qcow2Error` as `openImage` does; `IoError` (kind not-found, io) when the file itself cannot be opened.
 */
export async function openImageFile(
  path: FilePath,
  options: OpenImageFileOptions = {},
): Promise<Qcow2Image> {
  const location = typeof path === "string" ? { location: path } : {};
  return openOwnedImage(await openFile(path, { mode: options.mode ?? "r" }), {
    codec: nodeCodec,
    ...options,
    ...location,
  });
}
