import { constants, deflateRawSync, zstdCompressSync } from "node:zlib";
import { type Codec, portableCodec } from "@box/qcow2";
import { blockingNodeCodec, nodeCodec } from "@box/qcow2/node";
import { describe, expect, it } from "vitest";

const outputBytes = 4096;
const codecs: readonly [string, Codec][] = [
  ["portable", portableCodec],
  ["node", nodeCodec],
  ["blocking node", blockingNodeCodec],
];

/** Bytes from bits in the order in which deflate reads them; spaces tell fields apart. */
function bits(text: string): Uint8Array {
  const plain = text.replaceAll(" ", "");
  const bytes = new Uint8Array(Math.ceil(plain.length / 8));
  for (const [at, bit] of [...plain].entries()) {
    if (bit === "1") bytes[at >> 3] = (bytes[at >> 3] as number) | (1 << (at & 7));
  }
  return bytes;
}

/** 138 code lengths of 0. */
const manyZeros = "1 1111111";
/** A dynamic block with one literal code and two distance codes; only symbols 18 and, last but one, 1 are in use. */
const oneAnd18 = `1 01 00000 00000 0111 000 000 100 ${"000 ".repeat(14)} 100`;

const zlibStreams: readonly [string, Uint8Array, string][] = [
  ["is empty", new Uint8Array(0), "0 bytes instead of"],
  ["has a block of the reserved type", bits("1 11"), "reserved type"],
  ["has a stored block with a wrong length", bytesOf(1, 5, 0, 0, 0, 1), "wrong length"],
  ["ends in the length of a stored block", bytesOf(1, 0), "0 bytes instead of"],
  ["ends in a stored block", bytesOf(1, 5, 0, 0xfa, 0xff, 1, 2), "2 bytes instead of"],
  ["ends in a code", bits("1 10 0011"), "0 bytes instead of"],
  ["has a reserved length", bits("1 10 11000110"), "length symbol is reserved"],
  ["has a reserved distance", bits("1 10 0000001 11110"), "distance symbol is reserved"],
  ["copies from before its start", bits("1 10 0000001 00000"), "before the start"],
  ["has more codes than there are", bits("1 01 01111 00000 0000"), "too many codes"],
  ["repeats a length before the first", bits("1 01 00000 00000 0000 100 000 100 000 0"), "nothing"],
  [
    "has more code lengths than codes",
    bits(`1 01 00000 00000 0000 100 000 100 000 ${manyZeros} ${manyZeros}`),
    "run over",
  ],
  [
    "has a block without an end",
    bits(`1 01 00000 00000 0000 100 000 100 000 ${manyZeros} 1 1011011`),
    "has no end",
  ],
  ["has too many codes of a length", bits("1 01 00000 00000 0000 100 100 100 000"), "too many"],
  ["has too few codes", bits("1 01 00000 00000 0000 100 000 000 000 0"), "too few"],
  [
    "uses a code that does not exist",
    bits(`${oneAnd18} ${manyZeros} 1 1101011 0 0 1`),
    "does not exist",
  ],
  [
    "holds a longer stored block",
    deflateRawSync(noise(outputBytes + 1), { level: 0 }),
    "more than",
  ],
  [
    "holds one more literal",
    deflateRawSync(skewed(outputBytes + 1), { strategy: constants.Z_HUFFMAN_ONLY }),
    "more than",
  ],
  ["is a bomb", deflateRawSync(Buffer.alloc(2 ** 24)), "more than"],
];

describe("a zlib stream that", () => {
  it.each(zlibStreams)("%s is refused", async (_, stream, message) => {
    await expectRefused("zlib", stream, message);
  });

  it.each([
    ["a stored block", { level: 0 }],
    ["literals", { strategy: constants.Z_HUFFMAN_ONLY }],
    ["copies", {}],
  ])("holds more in %s is cut off when asked to be like QEMU", async (kind, how) => {
    const content = kind === "copies" ? Buffer.alloc(2 ** 20, "abcde") : skewed(outputBytes + 100);
    for (const [, codec] of codecs) {
      const options = { outputBytes, allowsLonger: true };
      const found = await codec.decompress("zlib", deflateRawSync(content, how), options);
      expect(Buffer.compare(found, content.subarray(0, outputBytes))).toBe(0);
    }
  });
});

const compressedBlock = 2;
const head = bytesOf(0x28, 0xb5, 0x2f, 0xfd);

/** A frame of one block, whose content fits a single segment. */
function frame(type: number, content: readonly number[], size = content.length): Uint8Array {
  const block = (size << 3) | (type << 1) | 1;
  return bytesOf(...head, 0x20, 0, block & 255, (block >> 8) & 255, block >> 16, ...content);
}

/** A compressed block with one raw literal and these sequences. */
function sequences(...section: number[]): Uint8Array {
  return frame(compressedBlock, [1 << 3, 7, ...section]);
}

/** A compressed block whose literals are coded: 10 bits for how many there are, 10 for their size. */
function literals(format: number, count: number, packed: readonly number[]): Uint8Array {
  const word = 2 | (format << 2) | (count << 4) | (packed.length << 14);
  return frame(compressedBlock, [word & 255, (word >> 8) & 255, word >> 16, ...packed, 0]);
}

const whole = zstdCompressSync(noise(outputBytes));
const skippable = bytesOf(0x5a, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3);
/** All three codes give one symbol, then follow the bits. */
const singleSymbols = 0b01_01_01_00;

const zstdStreams: readonly [string, Uint8Array, string][] = [
  ["is empty", new Uint8Array(0), "0 bytes instead of"],
  ["ends in its header", head, "a frame is cut"],
  ["is something else", bytesOf(1, 2, 3, 4, 5, 6, 7, 8), "not a zstd frame"],
  ["needs a dictionary", bytesOf(...head, 0x21, 1, 0, 0, 0), "a dictionary"],
  ["has a reserved bit", bytesOf(...head, 0x28, 0, 0, 0, 0), "a reserved bit"],
  ["asks for a window of 16 MiB", bytesOf(...head, 0, 14 << 3, 1, 0, 0), "window is too large"],
  [
    "asks for a window of 9 MiB",
    bytesOf(...head, 0, (13 << 3) | 1, 1, 0, 0),
    "window is too large",
  ],
  ["ends in a block's header", bytesOf(...head, 0x20, 0, 1, 0), "a frame is cut"],
  ["has a block of the reserved type", frame(3, [0]), "wrong header"],
  ["has a block over 128 KiB", frame(1, [0], 131073), "wrong header"],
  ["ends in a block", frame(0, [1], 2), "a block is cut"],
  ["repeats a byte past the cluster", frame(1, [9], outputBytes + 1), "more than one cluster"],
  ["has an empty compressed block", frame(compressedBlock, []), "longer than their block"],
  ["has literals over their block", frame(compressedBlock, [0x24, 2, 0]), "longer than"],
  ["has literals of 3 bytes over it", frame(compressedBlock, [0x2c, 2]), "longer than"],
  ["ends in the size of literals", frame(compressedBlock, [2, 0]), "the literals are cut"],
  ["has coded literals over it", frame(compressedBlock, [2, 0xff, 0xff]), "longer than"],
  ["uses a literal code of no block", frame(compressedBlock, [3, 0, 0, 0]), "never given"],
  ["has no literal code", literals(0, 1, []), "code description is cut"],
  ["ends in a literal code", literals(0, 1, [130, 0x11]), "code description is cut"],
  ["ends in a packed literal code", literals(0, 1, [9, 1]), "code description is cut"],
  ["has a literal code without weights", literals(0, 1, [128, 0, 1]), "description is wrong"],
  ["has a literal code over 11 bits", literals(0, 1, [128, 0xd0, 1]), "description is wrong"],
  ["has literal streams that end early", literals(1, 9, [128, 0x10, 9, 9]), "stream is cut"],
  ["has literals that end early", literals(0, 3, [128, 0x10, 3]), "its last symbol"],
  ["has an empty literal stream", literals(0, 3, [128, 0x10]), "no end mark"],
  ["has a code table that is too large", literals(0, 1, [2, 0x0f, 1]), "too large"],
  ["ends in a code table", literals(0, 1, [1, 0]), "description is wrong"],
  ["has no sequences", frame(compressedBlock, [1 << 3, 7]), "sequences are cut"],
  ["ends in the number of sequences", sequences(128), "sequences are cut"],
  ["ends in a long number of sequences", sequences(255), "sequences are cut"],
  ["ends in the sequences' codes", sequences(1, singleSymbols, 0), "sequences are cut"],
  ["uses codes of no block", sequences(1, 0b11_11_11_00, 1), "never given"],
  ["has a reserved code", sequences(1, singleSymbols, 36, 0, 0, 1), "a code is reserved"],
  ["has a reserved offset", sequences(1, singleSymbols, 0, 32, 0, 1), "a code is reserved"],
  ["has a reserved match", sequences(1, singleSymbols, 0, 0, 53, 1), "a code is reserved"],
  ["ends in a sequence", sequences(1, singleSymbols, 0, 9, 0, 3), "sequences are cut"],
  ["has bits behind its sequences", sequences(1, singleSymbols, 1, 0, 0, 9), "their last bit"],
  ["takes more literals than it has", sequences(1, singleSymbols, 2, 0, 0, 1), "too many literals"],
  ["copies from before its start", sequences(1, singleSymbols, 0, 4, 0, 0x1f), "before the start"],
  ["copies from where it is", sequences(1, singleSymbols, 0, 1, 0, 3), "before the start"],
  ["copies from 32 MiB before", sequences(1, singleSymbols, 0, 25, 0, 0, 0, 0, 3), "before"],
  ["is cut", whole.subarray(0, -40), "cut"],
  ["is a bomb", zstdCompressSync(Buffer.alloc(2 ** 24)), ""],
  ["is a bomb behind a frame", Buffer.concat([frame(1, [0], 9), frame(1, [0], 99_999)]), "more"],
  ["only skips", skippable, "0 bytes instead of"],
  ["skips past its end", skippable.subarray(0, 9), "0 bytes instead of"],
  ["ends after its first frame", frame(1, [5], 96), "96 bytes instead of"],
];

describe("a zstd stream that", () => {
  it.each(zstdStreams)("%s is refused", async (_, stream, message) => {
    await expectRefused("zstd", stream, message);
  });
});

it("zstd and zlib streams of coded literals are read whole, and refused at whichever byte they are cut", async () => {
  const content = skewed(outputBytes);
  for (const type of ["zlib", "zstd"] as const) {
    const stored = type === "zlib" ? deflateRawSync(content) : zstdCompressSync(content);
    const options = { outputBytes, allowsLonger: false };
    expect(await portableCodec.decompress(type, stored, options)).toEqual(content);
    // The last bytes of a deflate stream hold only its end mark, which QEMU does not need either.
    const end = stored.byteLength - (type === "zlib" ? 4 : 0);
    for (let length = 0; length < end; length += 5) {
      const cut = portableCodec.decompress(type, stored.subarray(0, length), options);
      await expect(cut).rejects.toMatchObject({ code: "QCOW2_COMPRESSED_DATA_INVALID" });
    }
  }
});

it("joins zstd frames, skips those without content and ignores what follows", async () => {
  const content = noise(outputBytes);
  const stored = Buffer.concat([
    skippable,
    zstdCompressSync(content.subarray(0, 1000)),
    skippable,
    zstdCompressSync(content.subarray(1000)),
    Buffer.alloc(100, 9),
  ]);
  for (const [, codec] of codecs) {
    const found = await codec.decompress("zstd", stored, { outputBytes, allowsLonger: false });
    expect(Buffer.compare(found, content)).toBe(0);
  }
});

/** Every codec must refuse; the message of the portable one says why. */
async function expectRefused(
  type: "zlib" | "zstd",
  stream: Uint8Array,
  message: string,
): Promise<void> {
  for (const [name, codec] of codecs) {
    const options = { outputBytes, allowsLonger: false };
    const outcome = codec.decompress(type, stream, options).then(() => `accepted by ${name}`);
    await expect(outcome).rejects.toMatchObject({
      code: "QCOW2_COMPRESSED_DATA_INVALID",
      ...(name === "portable" && { message: expect.stringContaining(message) }),
    });
  }
}

function bytesOf(...bytes: number[]): Uint8Array {
  return Uint8Array.from(bytes);
}

/** Bytes that do not compress. */
function noise(length: number): Uint8Array {
  let state = 1;
  return Uint8Array.from({ length }, () => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    return state >>> 24;
  });
}

/** Bytes of which low ones are far more frequent, so that a code for them is worth while and no two runs are alike. */
function skewed(length: number): Uint8Array {
  return noise(length).map((byte) => Math.floor((byte * byte * byte) / 2 ** 18));
}
