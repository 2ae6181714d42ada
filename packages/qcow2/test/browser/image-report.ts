import type { RandomAccess } from "@box/io";
import {
  checkImage,
  inspectImage,
  type OpenImageOptions,
  openImage,
  Qcow2Error,
  type Qcow2Image,
  toQemuInfo,
  toQemuMap,
} from "@box/qcow2";

const maxReadBytes = 2 ** 20;

/** All that can be said about an image, as JSON: the same in Node and in a browser. */
export async function reportOnImage(
  source: RandomAccess,
  options: OpenImageOptions = {},
): Promise<string> {
  try {
    const info = await inspectImage(source);
    await using image = await openImage(source, options);
    const report = {
      info,
      qemuInfo: toQemuInfo(await image.describe(), { filename: "image" }),
      map: await toQemuMap(image),
      check: await checkImage(source),
      reads: await readExtents(image),
    };
    return toJson(report);
  } catch (error) {
    if (!(error instanceof Qcow2Error)) throw error;
    const { code, kind, offset, structure } = error;
    return toJson({ code, kind, offset, structure });
  }
}

/** Sums of the bytes in each extent, and of a range that starts before it and ends inside. */
async function readExtents(image: Qcow2Image): Promise<unknown[]> {
  const reads: unknown[] = [];
  for await (const { start, length, kind, hostOffset } of image.extents()) {
    if (kind === "zero" || kind === "unallocated") continue;
    if (reads.length === 200) break;
    const bytes = await image.read(start, Math.min(length, maxReadBytes));
    const across = await image.read(Math.max(0, start - 333), 1000);
    const last = await image.read(start + length - 1, 4096);
    reads.push({ start, length, kind, hostOffset, sums: [bytes, across, last].map(sumOf) });
  }
  return reads;
}

/** FNV-1a, and the length: `crypto.subtle` is not to be had on every page. */
function sumOf(bytes: Uint8Array): string {
  let sum = 0x811c9dc5;
  for (const byte of bytes) sum = Math.imul(sum ^ byte, 0x01000193);
  return `${bytes.byteLength}:${sum >>> 0}`;
}

function toJson(value: unknown): string {
  return JSON.stringify(value, (_key, part: unknown) => {
    if (typeof part === "bigint") return `${part}n`;
    if (part instanceof Uint8Array) return sumOf(part);
    return part;
  });
}
