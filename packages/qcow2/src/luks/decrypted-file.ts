import type { RandomAccess } from "@box/io";
import { readOnce } from "../bytes/source-reader.ts";
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
    const found = await this.#readAll(start, end - start);
    // A copy: the source may hand out its own memory, and a Buffer's `slice` shares it.
    const whole = found.byteLength - (found.byteLength % cipherSectorBytes);
    const sectors = new Uint8Array(found.subarray(0, whole));
    this.#cipher.decryptSectors(sectors, start / cipherSectorBytes);
    const bytes = sectors.subarray(offset - start, offset - start + length);
    if (into === undefined) return bytes;
    into.set(bytes);
    return into.subarray(0, bytes.byteLength);
  }

  /** A part that is shorter than a sector says nothing: what the source gives is read up to the file's end. */
  async #readAll(start: number, length: number): Promise<Uint8Array> {
    const first = await readOnce(this.#source, start, length);
    if (first.byteLength === length || first.byteLength === 0) return first;
    const whole = new Uint8Array(length);
    whole.set(first);
    let found = first.byteLength;
    while (found < length) {
      const next = await readOnce(this.#source, start + found, length - found);
      if (next.byteLength === 0) break;
      whole.set(next, found);
      found += next.byteLength;
    }
    return whole.subarray(0, found);
  }
}
