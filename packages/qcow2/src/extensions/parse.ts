import { viewOf } from "../bytes/big-endian.ts";
import { Qcow2Error } from "../errors.ts";
import { extensionTypes } from "./layout.ts";

/** A header extension as it stands in the file. */
export interface HeaderExtension {
  /** Its type number. */
  readonly type: number;
  /** Where its 8-byte head starts, in bytes. */
  readonly offset: number;
  /** Its content, without padding. */
  readonly data: Uint8Array;
}

/**
 * Walks the extensions from the end of the header to the end mark, the backing name or the end of cluster 0.
 *
 * @param bytes - The file from byte 0, at least up to `end` unless the file or the read ends before.
 * @param start - The header's length.
 * @param end - Where the area ends at the latest.
 * @param isWhole - Whether `bytes` reaches the end of the area or of the file.
 * @returns The extensions in file order, or `undefined` when the walk needs bytes that a larger read would bring.
 * @throws {@link Qcow2Error} `QCOW2_EXTENSION_INVALID`, `QCOW2_TRUNCATED` (corrupt).
 * @see qcow2 specification, "Header extensions"
 */
export function parseExtensions(
  bytes: Uint8Array,
  start: number,
  end: number,
  isWhole: boolean,
): HeaderExtension[] | undefined {
  const view = viewOf(bytes);
  const found: HeaderExtension[] = [];
  let offset = start;
  while (offset < end) {
    if (offset + 8 > end) throw tooLong(0, offset, 8, end);
    if (offset + 8 > bytes.byteLength) return isWhole ? found : undefined;
    const type = view.getUint32(offset);
    const length = view.getUint32(offset + 4);
    // QEMU 7.2 judges the length of the end mark too.
    if (length > end - offset - 8) throw tooLong(type, offset, length, end);
    if (type === extensionTypes.end) return found;
    if (offset + 8 + length > bytes.byteLength) {
      if (!isWhole) return undefined;
      throw truncated(type, offset, length, bytes.byteLength);
    }
    found.push({ type, offset, data: bytes.slice(offset + 8, offset + 8 + length) });
    offset += 8 + Math.ceil(length / 8) * 8;
  }
  return found;
}

/** The last extension of a type, which is the one that counts. */
export function findExtension(
  extensions: readonly HeaderExtension[],
  type: number,
): HeaderExtension | undefined {
  return extensions.findLast((extension) => extension.type === type);
}

/** An extension whose content breaks a rule. */
export function extensionError(extension: HeaderExtension, problem: string): Qcow2Error {
  return new Qcow2Error({
    code: "QCOW2_EXTENSION_INVALID",
    message: `header extension 0x${extension.type.toString(16)} at byte ${extension.offset}: ${problem}`,
    offset: extension.offset,
    structure: "extension",
    details: { type: extension.type },
  });
}

function tooLong(type: number, offset: number, length: number, end: number): Qcow2Error {
  return extensionError(
    { type, offset, data: new Uint8Array(0) },
    `its ${length} bytes run past the end of the area at byte ${end}`,
  );
}

function truncated(type: number, offset: number, length: number, fileEnd: number): Qcow2Error {
  return new Qcow2Error({
    code: "QCOW2_TRUNCATED",
    message: `header extension 0x${type.toString(16)} at byte ${offset} needs ${length} bytes, but the file ends at byte ${fileEnd}`,
    offset,
    structure: "extension",
    details: { type },
  });
}
