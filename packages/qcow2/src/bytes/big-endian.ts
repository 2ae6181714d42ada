/** A view on the same bytes, for reading several big-endian fields. */
export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

const two32 = 2 ** 32;

/** Reads a u64 as a number: exact below 2^53, rounded above. Callers refuse what is not a safe integer. */
export function readU64(view: DataView, position: number): number {
  return view.getUint32(position) * two32 + view.getUint32(position + 4);
}

/** Writes a number below 2^53 as a u64. */
export function writeU64(view: DataView, position: number, value: number): void {
  view.setUint32(position, Math.floor(value / two32));
  view.setUint32(position + 4, value % two32);
}
