import { kernelInvalid } from "./kernel-error.ts";

/** Where the kernel proper is in a bzImage. */
export interface BzImagePayload {
  /** Offset in bytes. */
  readonly offset: number;
  /** Length in bytes, without the size at its end. */
  readonly length: number;
  /** What it decompresses to, in bytes. */
  readonly unpackedBytes: number;
}

/**
 * Offsets in the boot header of x86, which begins in the first sector.
 *
 * | offset | size | name | meaning |
 * |---|---|---|---|
 * | 0x1f1 | 1 | setup_sects | sectors of the real-mode code, 0 for 4 |
 * | 0x202 | 4 | header | `HdrS` |
 * | 0x206 | 2 | version | of the boot protocol; 0x208 and later have the payload |
 * | 0x248 | 4 | payload_offset | from the end of the real-mode code |
 * | 0x24c | 4 | payload_length | with the unpacked size, which is its last word |
 */
const at = {
  setupSectors: 0x1f1,
  header: 0x202,
  version: 0x206,
  payloadOffset: 0x248,
  payloadLength: 0x24c,
  end: 0x250,
} as const;

const headerMagic = 0x53726448;
const mostUnpackedBytes = 512 * 1024 * 1024;

/**
 * Parses the boot header of a bzImage.
 *
 * @returns Where its payload is; undefined for what is no bzImage, or one too old to say.
 * @throws GuestError `GUEST_KERNEL_INVALID`.
 * @see Linux, Documentation/arch/x86/boot.rst
 */
export function parseBootHeader(image: Uint8Array): BzImagePayload | undefined {
  if (image.length < at.end) return undefined;
  const view = new DataView(image.buffer, image.byteOffset, image.byteLength);
  if (view.getUint32(at.header, true) !== headerMagic) return undefined;
  if (view.getUint16(at.version, true) < 0x208) return undefined;
  const sectors = view.getUint8(at.setupSectors) || 4;
  const offset = (sectors + 1) * 512 + view.getUint32(at.payloadOffset, true);
  const length = view.getUint32(at.payloadLength, true) - 4;
  if (length < 4 || offset + length + 4 > image.length) {
    throw kernelInvalid(
      "the kernel",
      `its payload ends past the end of the file (${image.length})`,
    );
  }
  const unpackedBytes = view.getUint32(offset + length, true);
  if (unpackedBytes === 0 || unpackedBytes > mostUnpackedBytes) {
    throw kernelInvalid("the kernel", `it is ${unpackedBytes} bytes unpacked`);
  }
  return { offset, length, unpackedBytes };
}
