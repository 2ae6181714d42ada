import type { RandomAccess } from "@box/io";
import { readToEnd } from "../bytes/source-reader.ts";
import { cipherSectorBytes, type SectorCipher } from "./sector-cipher.ts";

/** A file whose clusters are decrypted as they are read, by the sectors that they lie in. Cannot be written. */
export class DecryptedFile implements RandomAccess {
  readonly #source: RandomAccess;
  readonly #cipher: SectorCipher;

  constructor(source: RandomAccess, cipher: SectorCipher) {
    this.#source = source;
    this.#cipher = cipher;
  }

  /** Size of the file in bytes. */
  size(): Promise<number> {
    return this.#source.size();
  }

  /** Reads whole sectors around the range and decrypts them; a sector that the file's end cuts is left out. */
  async read(offset: number, length: number, into?: Uint8Array): Promise<Uint8Array> {
    const start = offset - (offset % cipherSectorBytes);
    const end = Math.ceil((offset + length) / cipherSectorBytes) * cipherSectorBytes;
    // A part that is shorter than a sector says nothing.
    const found = await readToEnd(this.#source, start, end - start);
    // A copy: the source may hand out its own memory, and a Buffer's `slice` shares it.
    const whole = found.byteLength - (found.byteLength % cipherSectorBytes);
    const sectors = new Uint8Array(found.subarray(0, whole));
    this.#cipher.decryptSectors(sectors, start / cipherSectorBytes);
    const bytes = sectors.subarray(offset - start, offset - start + length);
    if (into === undefined) return bytes;
    into.set(bytes);
    return into.subarray(0, bytes.byteLength);
  }
}
