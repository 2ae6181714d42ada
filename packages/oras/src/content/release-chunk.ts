/**
 * Gives the memory of a chunk back. Left to the garbage collector, tens of megabytes pile up before it looks. A part of a
 * buffer stays: others may be in use.
 */
export function releaseChunk({ buffer, byteLength }: Uint8Array): void {
  if (buffer instanceof ArrayBuffer && buffer.byteLength === byteLength) buffer.transfer(0);
}
