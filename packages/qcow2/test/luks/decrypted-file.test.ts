import { createCipheriv, randomBytes } from "node:crypto";
import type { RandomAccess } from "@box/io";
import { describe, expect, it } from "vitest";
import { DecryptedFile } from "../../src/luks/decrypted-file.ts";
import { cbcCipher, plainIv, xtsCipher } from "../../src/luks/sector-cipher.ts";

const sectorBytes = 512;
const ciphers = {
  "aes-256-cbc": { keyBytes: 32, make: cbcCipher },
  "aes-256-xts": { keyBytes: 64, make: xtsCipher },
} as const;

/** What sources may hand out: bytes of the caller's own, or, against the contract, their own memory. */
const answers: Readonly<Record<string, (bytes: Buffer) => Uint8Array>> = {
  "a Uint8Array": (bytes) => new Uint8Array(bytes),
  "a Buffer": (bytes) => Buffer.from(bytes),
  "its own memory": (bytes) => bytes,
  "less than a sector": (bytes) => bytes.subarray(0, 300),
};

describe.each(Object.keys(ciphers) as (keyof typeof ciphers)[])("%s", (algorithm) => {
  it.each(Object.keys(answers))("is decrypted from a source that gives %s", async (answer) => {
    const { keyBytes, make } = ciphers[algorithm];
    const [key, plain] = [randomBytes(keyBytes), randomBytes(8 * sectorBytes)];
    const stored = Buffer.concat(
      Array.from({ length: 8 }, (_, sector) => {
        const cipher = createCipheriv(algorithm, key, plainIv(64)(sector)).setAutoPadding(false);
        const bytes = plain.subarray(sector * sectorBytes, (sector + 1) * sectorBytes);
        return Buffer.concat([cipher.update(bytes), cipher.final()]);
      }),
    );
    const before = Buffer.from(stored);
    const source: RandomAccess = {
      size: async () => stored.byteLength,
      read: async (offset, length) =>
        (answers[answer] as (typeof answers)[string])(stored.subarray(offset, offset + length)),
    };
    const file = new DecryptedFile(source, make(key, plainIv(64)));
    expect(Buffer.from(await file.read(0, plain.byteLength))).toEqual(plain);
    expect(Buffer.from(await file.read(700, 1500))).toEqual(plain.subarray(700, 2200));
    expect(stored).toEqual(before);
  });
});
