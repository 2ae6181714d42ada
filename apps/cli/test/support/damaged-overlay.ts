/** Whether an image names this backing file, by the fields at bytes 8 to 20 of its header. */
export function hasBackingBytes(image: Uint8Array, path: string): boolean {
  const view = new DataView(image.buffer, image.byteOffset, image.byteLength);
  const offset = Number(view.getBigUint64(8));
  const name = image.subarray(offset, offset + view.getUint32(16));
  return new TextDecoder().decode(name) === path;
}

/** A header of version 3 with a backing name, and all other fields zero. */
export function minimalHeader(name: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(104 + name.byteLength);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, 0x514649fb);
  view.setUint32(4, 3);
  view.setBigUint64(8, 104n);
  view.setUint32(16, name.byteLength);
  bytes.set(name, 104);
  return bytes;
}

/** A copy of an overlay that names another backing file; the name must not be longer than the old one. */
export function withBackingName(image: Uint8Array, name: Uint8Array): Uint8Array {
  const bytes = image.slice();
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const offset = Number(view.getBigUint64(8));
  bytes.fill(0, offset, offset + view.getUint32(16));
  bytes.set(name, offset);
  view.setUint32(16, name.byteLength);
  return bytes;
}
