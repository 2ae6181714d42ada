import { kernelInvalid } from "./kernel-error.ts";

const magic = 0x184c2102;
/** Most output of one block in the legacy format. */
const mostBlockBytes = 8 * 1024 * 1024;
const what = "an LZ4 stream";

/**
 * Decompresses LZ4's legacy frame format, in which Linux packs kernels: a magic number, then blocks, each behind its length.
 *
 * @param sizeBytes - What it must decompress to exactly; nothing beyond it is allocated or written.
 * @throws GuestError `GUEST_KERNEL_INVALID`.
 * @see LZ4 frame format, "Legacy frame", and LZ4 block format
 */
export function decompressLz4Legacy(input: Uint8Array, sizeBytes: number): Uint8Array {
  const view = new DataView(input.buffer, input.byteOffset, input.byteLength);
  const output = new Uint8Array(sizeBytes);
  let [at, end] = [0, 0];
  while (at + 4 <= input.length) {
    const word = view.getUint32(at, true);
    at += 4;
    if (word === magic) continue;
    if (at === 4) throw kernelInvalid(what, "it does not begin as one");
    if (word > input.length - at) throw kernelInvalid(what, "a block is cut");
    const limit = Math.min(sizeBytes, end + mostBlockBytes);
    end = decompressBlock(input.subarray(at, at + word), output.subarray(0, limit), end);
    at += word;
  }
  if (end !== sizeBytes) throw kernelInvalid(what, `it holds ${end} bytes, not ${sizeBytes}`);
  return output;
}

/** Decompresses one block behind what is there already; returns where it ends. References stay within the block. */
function decompressBlock(input: Uint8Array, output: Uint8Array, start: number): number {
  let [at, end] = [0, start];
  const lengthFrom = (nibble: number): number => {
    let length = nibble;
    for (let more = nibble === 15; more; ) {
      const byte = input[at++];
      if (byte === undefined) throw kernelInvalid(what, "a length is cut");
      length += byte;
      more = byte === 255;
    }
    return length;
  };
  while (at < input.length) {
    const token = input[at++] ?? 0;
    const literals = lengthFrom(token >> 4);
    if (literals > input.length - at || literals > output.length - end) {
      throw kernelInvalid(what, "literals run past an end");
    }
    output.set(input.subarray(at, at + literals), end);
    at += literals;
    end += literals;
    if (at === input.length) return end;
    const distance = (input[at] ?? 0) | ((input[at + 1] ?? 0) << 8);
    at += 2;
    const length = lengthFrom(token & 15) + 4;
    if (distance === 0 || distance > end - start || length > output.length - end) {
      throw kernelInvalid(what, "a match leads out of the block");
    }
    if (distance >= length) {
      output.copyWithin(end, end - distance, end - distance + length);
      end += length;
    } else {
      for (const stop = end + length; end < stop; end++) output[end] = output[end - distance] ?? 0;
    }
  }
  return end;
}
