import { dirname } from "node:path";

const slash = 0x2f;

/** A backing name as a path: a relative one counts from the folder of the overlay, as QEMU counts it. */
export function backingPath(overlayPath: string, name: Uint8Array): Uint8Array {
  return name[0] === slash ? name : Buffer.concat([Buffer.from(`${dirname(overlayPath)}/`), name]);
}
