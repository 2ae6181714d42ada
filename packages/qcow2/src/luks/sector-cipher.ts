import { type AesKey, expandAesKey } from "./aes.ts";

/** Decrypts whole sectors of 512 bytes, each with its own initialisation vector. */
export interface SectorCipher {
  /**
   * Decrypts in place.
   *
   * @param bytes - A whole number of sectors.
   * @param firstSector - Number of the first one, which the initialisation vectors count from.
   */
  decryptSectors(bytes: Uint8Array, firstSector: number): void;
}

/** Bytes that share one initialisation vector. */
export const cipherSectorBytes = 512;
const blockBytes = 16;

/** How the initialisation vector comes from the sector's number. */
export type IvGenerator = (sector: number) => Uint8Array;

/** The sector's number as 64 bits, little-endian (`plain64`), or cut to 32 bits (`plain`). */
export function plainIv(bits: 32 | 64): IvGenerator {
  return (sector) => {
    const iv = new Uint8Array(blockBytes);
    const view = new DataView(iv.buffer);
    view.setUint32(0, sector % 2 ** 32, true);
    if (bits === 64) view.setUint32(4, Math.floor(sector / 2 ** 32), true);
    return iv;
  };
}

/** The sector's number encrypted with a hash of the key (`essiv`). */
export function essivIv(hashedKey: Uint8Array): IvGenerator {
  const key = expandAesKey(hashedKey);
  const plain = plainIv(64);
  return (sector) => {
    const iv = plain(sector);
    key.encryptBlock(iv, 0);
    return iv;
  };
}

/** AES in CBC mode. */
export function cbcCipher(key: Uint8Array, iv: IvGenerator): SectorCipher {
  const aes = expandAesKey(key);
  return eachSector((bytes, sector) => {
    let previous = iv(sector);
    for (let offset = 0; offset < cipherSectorBytes; offset += blockBytes) {
      const cipherText = bytes.slice(offset, offset + blockBytes);
      aes.decryptBlock(bytes, offset);
      for (let i = 0; i < blockBytes; i++)
        bytes[offset + i] = at(bytes, offset + i) ^ at(previous, i);
      previous = cipherText;
    }
  });
}

/** AES in XTS mode; the key holds the data key, then the tweak key (IEEE 1619). */
export function xtsCipher(key: Uint8Array, iv: IvGenerator): SectorCipher {
  const half = key.byteLength / 2;
  const data = expandAesKey(key.subarray(0, half));
  const tweakKey = expandAesKey(key.subarray(half));
  return eachSector((bytes, sector) => decryptXts(bytes, data, tweakKey, iv(sector)));
}

function decryptXts(bytes: Uint8Array, data: AesKey, tweakKey: AesKey, iv: Uint8Array): void {
  tweakKey.encryptBlock(iv, 0);
  const tweak = new Uint32Array(iv.buffer, 0, 4);
  const words = new Uint32Array(cipherSectorBytes / 4);
  const view = new Uint8Array(words.buffer);
  view.set(bytes);
  for (let word = 0; word < words.length; word += 4) {
    mix(words, word, tweak);
    data.decryptBlock(view, word * 4);
    mix(words, word, tweak);
    doubleTweak(tweak);
  }
  bytes.set(view);
}

function mix(words: Uint32Array, offset: number, tweak: Uint32Array): void {
  for (let i = 0; i < 4; i++) words[offset + i] = at(words, offset + i) ^ at(tweak, i);
}

/** Multiplies by x in GF(2^128); the words are little-endian, as every host of JavaScript engines is. */
function doubleTweak(tweak: Uint32Array): void {
  const [a, b, c, d] = [at(tweak, 0), at(tweak, 1), at(tweak, 2), at(tweak, 3)];
  tweak[0] = (a << 1) ^ (d >>> 31 !== 0 ? 0x87 : 0);
  tweak[1] = (b << 1) | (a >>> 31);
  tweak[2] = (c << 1) | (b >>> 31);
  tweak[3] = (d << 1) | (c >>> 31);
}

function eachSector(decrypt: (sector: Uint8Array, number: number) => void): SectorCipher {
  return {
    decryptSectors: (bytes, firstSector) => {
      for (let done = 0; done < bytes.byteLength; done += cipherSectorBytes) {
        decrypt(
          bytes.subarray(done, done + cipherSectorBytes),
          firstSector + done / cipherSectorBytes,
        );
      }
    },
  };
}

function at(array: Uint8Array | Uint32Array, index: number): number {
  return array[index] as number;
}
