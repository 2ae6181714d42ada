import { gunzipSync, zstdDecompressSync } from "node:zlib";
import { parseBootHeader } from "./boot-header.ts";
import { kernelInvalid } from "./kernel-error.ts";
import { decompressLz4Legacy } from "./lz4-legacy.ts";

/**
 * Takes the kernel proper out of a bzImage of x86, which boots faster: the virtual processor need not decompress it.
 *
 * @returns An ELF file with the entry that QEMU starts; undefined when the image is to be booted as it is: no bzImage, packed
 *   in a way that is not known here (xz, bzip2, lzma, lzo), or without that entry.
 * @throws GuestError `GUEST_KERNEL_INVALID`.
 */
export function extractVmlinux(image: Uint8Array): Uint8Array | undefined {
  const payload = parseBootHeader(image);
  if (payload === undefined) return undefined;
  const { offset, length, unpackedBytes } = payload;
  const packed = image.subarray(offset, offset + length);
  const vmlinux = unpack(packed, unpackedBytes);
  if (vmlinux === undefined) return undefined;
  if (vmlinux.length !== unpackedBytes) {
    throw kernelInvalid("the kernel", `it is ${vmlinux.length} bytes, not ${unpackedBytes}`);
  }
  return hasPvhEntry(vmlinux) ? vmlinux : undefined;
}

function unpack(packed: Uint8Array, sizeBytes: number): Uint8Array | undefined {
  const magic = Buffer.from(packed.subarray(0, 4)).toString("hex");
  if (magic === "02214c18") return decompressLz4Legacy(packed, sizeBytes);
  const options = { maxOutputLength: sizeBytes };
  try {
    if (magic.startsWith("1f8b")) return gunzipSync(packed, options);
    if (magic === "28b52ffd") return zstdDecompressSync(packed, options);
  } catch (error) {
    throw kernelInvalid("the kernel", error instanceof Error ? error.message : String(error));
  }
  return undefined;
}

const noteSegment = 4;
const pvhEntryNote = 18;

/** Whether an ELF file of 64 bits has the note `XEN_ELFNOTE_PHYS32_ENTRY`, where QEMU enters it. */
function hasPvhEntry(elf: Uint8Array): boolean {
  const view = new DataView(elf.buffer, elf.byteOffset, elf.byteLength);
  if (elf.length < 64 || view.getUint32(0) !== 0x7f454c46 || elf[4] !== 2 || elf[5] !== 1) {
    throw kernelInvalid("the kernel", "it is no ELF file of 64 bits");
  }
  const table = Number(view.getBigUint64(32, true));
  const [size, count] = [view.getUint16(54, true), view.getUint16(56, true)];
  for (let index = 0; index < count; index++) {
    const at = table + index * size;
    if (at + 56 > elf.length) throw kernelInvalid("the kernel", "its program headers are cut");
    if (view.getUint32(at, true) !== noteSegment) continue;
    const start = Number(view.getBigUint64(at + 8, true));
    const end = start + Number(view.getBigUint64(at + 32, true));
    if (end > elf.length) throw kernelInvalid("the kernel", "its notes are cut");
    if (hasNote(view, start, end)) return true;
  }
  return false;
}

function hasNote(view: DataView, start: number, end: number): boolean {
  for (let at = start; at + 12 <= end; ) {
    const [nameBytes, valueBytes] = [view.getUint32(at, true), view.getUint32(at + 4, true)];
    const isXen = nameBytes === 4 && at + 16 <= end && view.getUint32(at + 12) === 0x58656e00;
    if (isXen && view.getUint32(at + 8, true) === pvhEntryNote) return true;
    at += 12 + roundUp(nameBytes) + roundUp(valueBytes);
  }
  return false;
}

function roundUp(bytes: number): number {
  return Math.ceil(bytes / 4) * 4;
}
