import { createCipheriv, createHash, randomBytes } from "node:crypto";
import { describe, expect, test } from "vitest";
import { expandAesKey } from "../../src/luks/aes.ts";
import { cbcCipher, essivIv, plainIv, xtsCipher } from "../../src/luks/sector-cipher.ts";

const hex = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text, "hex"));

describe("expandAesKey", () => {
  test.each([
    // FIPS 197, appendix C.
    ["000102030405060708090a0b0c0d0e0f", "69c4e0d86a7b0430d8cdb78070b4c55a"],
    ["000102030405060708090a0b0c0d0e0f1011121314151617", "dda97ca4864cdfe06eaf70a0ec0d7191"],
    [
      "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
      "8ea2b7ca516745bfeafc49904b496089",
    ],
  ])("encrypts and decrypts the standard's example with key %s", (key, cipherText) => {
    const aes = expandAesKey(hex(key));
    const block = hex("00112233445566778899aabbccddeeff");
    aes.encryptBlock(block, 0);
    expect(block).toEqual(hex(cipherText));
    aes.decryptBlock(block, 0);
    expect(block).toEqual(hex("00112233445566778899aabbccddeeff"));
  });

  test("refuses a key of another length", () => {
    expect(() => expandAesKey(new Uint8Array(20))).toThrow("16, 24 or 32");
  });
});

describe("sector ciphers", () => {
  const plain = randomBytes(512 * 3);
  const sectors = [2 ** 32 - 1, 2 ** 32, 2 ** 32 + 1];

  function encrypted(algorithm: string, key: Uint8Array, iv: (sector: number) => Uint8Array) {
    const parts = sectors.map((sector, i) => {
      const cipher = createCipheriv(algorithm, key, iv(sector)).setAutoPadding(false);
      return Buffer.concat([cipher.update(plain.subarray(i * 512, i * 512 + 512)), cipher.final()]);
    });
    return Uint8Array.from(Buffer.concat(parts));
  }

  test.each([
    ["aes-128-xts", 32],
    ["aes-256-xts", 64],
  ])("decrypts what OpenSSL's %s encrypted", (algorithm, keyBytes) => {
    const key = randomBytes(keyBytes);
    const bytes = encrypted(algorithm, key, plainIv(64));
    xtsCipher(key, plainIv(64)).decryptSectors(bytes, sectors[0] as number);
    expect(Buffer.from(bytes)).toEqual(plain);
  });

  test.each([
    ["aes-128-cbc", 16],
    ["aes-192-cbc", 24],
    ["aes-256-cbc", 32],
  ])(
    "decrypts what OpenSSL's %s encrypted, with plain, plain64 and essiv vectors",
    (algorithm, keyBytes) => {
      const key = randomBytes(keyBytes);
      const hashed = createHash("sha256").update(key).digest();
      for (const iv of [plainIv(32), plainIv(64), essivIv(hashed)]) {
        const bytes = encrypted(algorithm, key, iv);
        cbcCipher(key, iv).decryptSectors(bytes, sectors[0] as number);
        expect(Buffer.from(bytes)).toEqual(plain);
      }
    },
  );

  test("cuts the sector's number to 32 bits for plain and keeps 64 for plain64", () => {
    expect(plainIv(32)(2 ** 32 + 5)).toEqual(hex("05000000000000000000000000000000"));
    expect(plainIv(64)(2 ** 32 + 5)).toEqual(hex("05000000010000000000000000000000"));
  });
});
