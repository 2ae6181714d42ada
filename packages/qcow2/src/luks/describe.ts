import type { SourceReader } from "../bytes/source-reader.ts";
import type { FileRange } from "../extensions/contents.ts";
import { parseLuksHeader } from "./header.ts";
import { readLuksHeader } from "./open-luks.ts";

/** A place in a LUKS header for a passphrase. */
export interface LuksSlotDescription {
  /** Whether a passphrase is stored in it. */
  readonly isActive: boolean;
  /** Rounds of key derivation; of an active slot only. */
  readonly iterations?: number;
  /** How many times its size the key is spread over; of an active slot only. */
  readonly stripes?: number;
  /** Where its key material is, in bytes from the LUKS header. */
  readonly keyOffset: number;
}

/** What a LUKS1 header says without its passphrase. */
export interface LuksDescription {
  /** Such as `aes`. */
  readonly cipherName: string;
  /** Such as `xts-plain64`. */
  readonly cipherMode: string;
  /** Such as `sha256`. */
  readonly hashName: string;
  /** Bytes of the volume key. */
  readonly keyBytes: number;
  /** The volume's uuid. */
  readonly uuid: string;
  /** Rounds of key derivation of the volume key's digest. */
  readonly digestIterations: number;
  /** Where the payload would be, in bytes from the LUKS header; unused inside qcow2. */
  readonly payloadOffset: number;
  /** The eight slots. */
  readonly slots: readonly LuksSlotDescription[];
}

/** Reads the LUKS header of an image; needs no passphrase and derives no key. */
export async function describeLuks(
  reader: SourceReader,
  range: FileRange | undefined,
): Promise<LuksDescription> {
  const { bytes, base } = await readLuksHeader(reader, range);
  const header = parseLuksHeader(bytes, base, {
    maxIterations: Number.POSITIVE_INFINITY,
    maxTotalIterations: Number.POSITIVE_INFINITY,
  });
  const { cipherName, cipherMode, hashName, keyBytes, uuid, digestIterations } = header;
  const active = new Map(header.slots.map((slot) => [slot.index, slot]));
  return {
    ...{ cipherName, cipherMode, hashName, keyBytes, uuid, digestIterations },
    payloadOffset: header.payloadOffset,
    slots: header.slotOffsets.map((keyOffset, index) => {
      const slot = active.get(index);
      if (slot === undefined) return { isActive: false, keyOffset };
      const { iterations, stripes } = slot;
      return { isActive: true, iterations, stripes, keyOffset };
    }),
  };
}
