import { BlobFile, type RandomAccess } from "@box/io";

/**
 * Makes a `Blob`, or a `File` that somebody chose in a browser, a source of an image. Only what is asked for is read, so its
 * size does not matter.
 *
 * A file that is changed or removed after it was chosen fails to be read: kind io, never corrupt.
 */
export function blobSource(blob: Blob): RandomAccess {
  return new BlobFile(blob);
}
