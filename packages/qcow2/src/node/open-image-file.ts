import type { FilePath } from "@box/io/node";
import { openOwnedImage } from "../chain/open-image.ts";
import type { OpenImageOptions } from "../chain/open-options.ts";
import type { Qcow2Image } from "../image.ts";
import { blockingNodeCodec, nodeCodec } from "./node-codec.ts";
import { openFile } from "./written-files.ts";

/** How {@link openImageFile} opens a file. */
export interface OpenImageFileOptions extends Omit<OpenImageOptions, "location"> {
  /**
   * Whether reads and writes of up to 64 KiB block the thread, see {@link openFile}, and so does decompressing
   * unless a codec is given.
   */
  readonly blocking?: boolean;
}

/**
 * Opens an image file, with Node's zlib for compressed clusters. The file is closed with the image.
 *
 * @throws `Qcow2Error` as {@link openFile} and `openImage` do.
 */
export async function openImageFile(
  path: FilePath,
  options: OpenImageFileOptions = {},
): Promise<Qcow2Image> {
  const location = typeof path === "string" ? { location: path } : {};
  const { mode = "r", blocking = false } = options;
  return openOwnedImage(await openFile(path, { mode, blocking }), {
    codec: blocking ? blockingNodeCodec : nodeCodec,
    ...options,
    ...location,
  });
}
