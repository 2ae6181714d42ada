import { deflateRawSync, gunzipSync, gzipSync } from "node:zlib";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { gunzipHashed } from "../../src/layer/gunzip-hashed.ts";
import { expectCode } from "../expect-code.ts";
import { noise } from "../sample-image.ts";

const content = Buffer.concat([noise(3000), new Uint8Array(5000), noise(700, 3)]);

/** A member with chosen parts of a header. */
function member(flags: number, extra: Uint8Array = new Uint8Array(0), bytes = content): Buffer {
  const plain = gzipSync(bytes);
  const header = Buffer.from(plain.subarray(0, 10));
  header[3] = flags;
  return Buffer.concat([header, extra, plain.subarray(10)]);
}

/** Reads with chunks of which nothing is left once the next one is asked for. */
async function read(blob: Uint8Array, chunkBytes: number, ownsInput: boolean): Promise<Buffer> {
  const given: Uint8Array[] = [];
  async function* chunks() {
    for (let at = 0; at < blob.byteLength; at += chunkBytes) {
      const chunk = Uint8Array.prototype.slice.call(blob, at, at + chunkBytes);
      given.push(chunk);
      yield chunk;
    }
  }
  const parts: Buffer[] = [];
  for await (const part of gunzipHashed(chunks(), {
    isHashed: true,
    isTransient: true,
    ownsInput,
  })) {
    parts.push(Buffer.from(part));
  }
  if (ownsInput) {
    // Those at the start and at the end of the member are left.
    const left = given.filter(({ byteLength }) => byteLength > 0).length;
    if (chunkBytes === 1000) expect(left).toBeLessThanOrEqual(3);
  } else {
    const seen = Buffer.concat(given);
    expect(seen).toEqual(Buffer.from(blob.subarray(0, seen.byteLength)));
  }
  return Buffer.concat(parts);
}

describe("gunzipHashed", () => {
  test.each([
    ["a name", member(8, Buffer.from("name.tar\0"))],
    ["a comment", member(16, Buffer.from("made by hand\0"))],
    ["a name and a comment", member(24, Buffer.from("name\0comment\0"))],
    ["an extra field", member(4, Buffer.from([3, 0, 1, 2, 3]))],
    ["nothing more", member(0)],
    ["a text flag", member(1)],
  ])("reads a member whose header has %s", async (_name, blob) => {
    expect(gunzipSync(blob)).toEqual(content);
    for (const chunkBytes of [1, 7, 11, 1000, blob.byteLength]) {
      for (const owns of [false, true]) expect(await read(blob, chunkBytes, owns)).toEqual(content);
    }
  });

  test("reads what Node's decoder reads, however it is cut", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.uint8Array({ maxLength: 400 }), { minLength: 1, maxLength: 4 }),
        fc.integer({ min: 1, max: 300 }),
        fc.constantFrom("", "\0", "\0\0\0\0\0\0\0\0\0\0\0\0"),
        fc.boolean(),
        async (parts, chunkBytes, after, ownsInput) => {
          const blob = Buffer.concat([...parts.map((part) => gzipSync(part)), Buffer.from(after)]);
          expect(await read(blob, chunkBytes, ownsInput)).toEqual(Buffer.concat(parts));
        },
      ),
      { numRuns: 200 },
    );
  });

  test("leaves the checksum to the digest, but not the length nor the end", async () => {
    const blob = Buffer.from(gzipSync(content));
    const crcAt = blob.byteLength - 8;
    blob.writeUInt32LE(blob.readUInt32LE(crcAt) ^ 1, crcAt);
    expect(await read(blob, 1000, false)).toEqual(content);
    for (let cut = 1; cut <= 9; cut++) {
      await expectCode(read(blob.subarray(0, -cut), 1000, false), "OCI_LAYER_CORRUPT");
    }
    blob.writeUInt32LE(content.byteLength + 1, crcAt + 4);
    await expectCode(read(blob, 1000, false), "OCI_LAYER_CORRUPT");
  });

  test("checks the members after the first one", async () => {
    const second = Buffer.from(gzipSync(content));
    second.writeUInt32LE(1, second.byteLength - 8);
    await expectCode(read(Buffer.concat([member(0), second]), 999, true), "OCI_LAYER_CORRUPT");
    const noMember = Buffer.concat([member(0), deflateRawSync(content)]);
    await expectCode(read(noMember, 999, true), "OCI_LAYER_CORRUPT");
  });

  test("ignores what follows zeros, however it is cut", async () => {
    const after = Buffer.concat([Buffer.alloc(40), Buffer.from("no member")]);
    for (const blob of [
      Buffer.concat([member(4, Buffer.from([1, 0, 1])), after]),
      Buffer.concat([member(0), member(0), after]),
    ]) {
      const whole = gunzipSync(blob.subarray(0, -after.byteLength));
      for (const chunkBytes of [1, 7, 50, 1000, blob.byteLength]) {
        expect(await read(blob, chunkBytes, false)).toEqual(whole);
      }
    }
  });

  test("gives back the memory of its input as it goes, when that is its own", async () => {
    const large = noise(50_000);
    expect(await read(gzipSync(large), 1000, true)).toEqual(Buffer.from(large));
  });

  test("passes on what the input fails with", async () => {
    const failure = new Error("EIO");
    async function* chunks() {
      yield member(0).subarray(0, 500);
      throw failure;
    }
    const reading = async () => {
      for await (const _part of gunzipHashed(chunks(), {}));
    };
    await expect(reading()).rejects.toBe(failure);
  });
});
