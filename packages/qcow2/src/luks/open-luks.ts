import type { SourceReader } from "../bytes/source-reader.ts";
import { toNameBytes } from "../bytes/text.ts";
import { Qcow2Error } from "../errors.ts";
import type { FileRange } from "../extensions/contents.ts";
import { luksHeaderBytes, parseLuksHeader } from "./header.ts";
import type { SectorCipher } from "./sector-cipher.ts";
import { unlockLuks } from "./unlock.ts";

/**
 * Reads the LUKS header of an image and unlocks it.
 *
 * @param range - Where the image's extension says that the header is.
 * @throws Qcow2Error `QCOW2_LUKS_INVALID`, `QCOW2_TRUNCATED` (corrupt), `QCOW2_LUKS_LIMIT`, `QCOW2_PASSPHRASE_WRONG`
 * (auth), `QCOW2_UNSUPPORTED_ENCRYPTION`.
 */
export async function openLuks(
  reader: SourceReader,
  range: FileRange | undefined,
  passphrase: Uint8Array | string,
): Promise<SectorCipher> {
  const { bytes, base, lengthBytes } = await readLuksHeader(reader, range);
  const header = parseLuksHeader(bytes, base);
  const read = async (offset: number, length: number): Promise<Uint8Array> => {
    if (offset + length > lengthBytes) {
      throw invalid(`key material at byte ${offset} is outside of its ${lengthBytes} bytes`, base);
    }
    const material = await reader.readExactly(base + offset, length, "encryption header");
    return material.slice();
  };
  return unlockLuks(header, toNameBytes(passphrase), read, () => reader.throwIfAborted());
}

/** The bytes of an image's LUKS header, and how much room it has for key material. */
export async function readLuksHeader(
  reader: SourceReader,
  range: FileRange | undefined,
): Promise<{ bytes: Uint8Array; base: number; lengthBytes: number }> {
  if (range === undefined) throw invalid("the image does not say where it is", 0);
  const { offset: base, lengthBytes } = range;
  if (lengthBytes < luksHeaderBytes) throw invalid(`it has ${lengthBytes} bytes`, base);
  const bytes = await reader.readExactly(base, luksHeaderBytes, "encryption header");
  return { bytes, base, lengthBytes };
}

function invalid(reason: string, offset: number): Qcow2Error {
  return new Qcow2Error({
    code: "QCOW2_LUKS_INVALID",
    message: `cannot read the encryption header: ${reason}`,
    offset,
    structure: "encryption header",
  });
}
