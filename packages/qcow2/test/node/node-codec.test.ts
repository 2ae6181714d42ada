import { constants, deflateRawSync, inflateRawSync, zstdDecompressSync } from "node:zlib";
import { blockingNodeCodec, nodeCodec } from "@box/qcow2/node";
import { describe, expect, it } from "vitest";
import { zstdRepeat } from "../../fixtures/streams.ts";
import { codecOf, type ZlibCalls } from "../../src/node/node-codec.ts";

const plain = new Uint8Array(65536).map((_byte, at) => at >> 7);
const whole = { outputBytes: plain.byteLength, allowsLonger: false };
const packed = {
  zlib: await blockingNodeCodec.compress("zlib", plain),
  zstd: await blockingNodeCodec.compress("zstd", plain),
};

describe.each(["zlib", "zstd"] as const)("%s through calls of Node that fail", (type) => {
  it.each([
    "Z_DATA_ERROR",
    "Z_BUF_ERROR",
    "Z_NEED_DICT",
    "ZSTD_error_corruption_detected",
    "ZSTD_error_frameParameter_windowTooLarge",
    "ERR_BUFFER_TOO_LARGE",
  ])("leaves a stream that Node refuses as %s to the portable codec", async (code) => {
    const codec = codecOf(callsThrowing(Object.assign(new Error("refused"), { code })));
    expect(await codec.decompress(type, packed[type], whole)).toEqual(plain);
  });

  it.each([
    new TypeError("it is not a function"),
    new RangeError("Array buffer allocation failed"),
    Object.assign(new Error("out of memory"), { code: "Z_MEM_ERROR" }),
    Object.assign(new Error("out of memory"), { code: "ZSTD_error_memory_allocation" }),
    Object.assign(new Error("bad option"), { code: "ERR_OUT_OF_RANGE" }),
    Object.assign(new Error("bad option"), { code: "ERR_ZLIB_INITIALIZATION_FAILED" }),
    "not even an error",
  ])("tells a failure that is no fault of the stream: %s", async (failure) => {
    const codec = codecOf(callsThrowing(failure));
    await expect(codec.decompress(type, packed[type], whole)).rejects.toBe(failure);
  });
});

describe("what this Node says of bad streams", () => {
  const frame = Buffer.from(packed.zstd);
  const damaged = Buffer.from(frame).fill(255, 8, 12);
  const inflate = (bytes: Uint8Array) => () =>
    inflateRawSync(bytes, { maxOutputLength: 65536, finishFlush: constants.Z_SYNC_FLUSH });
  const unpack = (bytes: Uint8Array) => () =>
    zstdDecompressSync(bytes, {
      maxOutputLength: 65535,
      params: { [constants.ZSTD_d_windowLogMax]: 23 },
    });
  it.each([
    ["no deflate stream", inflate(new Uint8Array(3).fill(255)), "Z_DATA_ERROR"],
    ["longer than a cluster", inflate(deflateRawSync(Buffer.alloc(65537))), "ERR_BUFFER_TOO_LARGE"],
    ["no frame", unpack(Buffer.from("no frame")), "ZSTD_error_prefix_unknown"],
    ["a damaged frame", unpack(damaged), expect.stringMatching(/^ZSTD_error_/)],
    [
      "a huge window",
      unpack(Uint8Array.of(0x28, 0xb5, 0x2f, 0xfd, 0, 0x90, 1, 0, 0)),
      "ZSTD_error_frameParameter_windowTooLarge",
    ],
    ["a frame longer than a cluster", unpack(frame), "ERR_BUFFER_TOO_LARGE"],
  ])("%s has one of the codes that are known", (_name, call, code) => {
    expect(call).toThrow(expect.objectContaining({ code }));
  });
});

function callsThrowing(failure: unknown): ZlibCalls {
  const fail = (): never => {
    throw failure;
  };
  return { inflate: fail, deflate: fail, zstdDecompress: fail, zstdCompress: fail };
}

describe("a zstd stream with a window of more than 8 MiB", () => {
  it.each([
    ["8 MiB", 13 << 3, true],
    ["9 MiB", (13 << 3) | 1, false],
    ["16 MiB", 14 << 3, false],
  ])("of %s: %#", async (_, window, isRead) => {
    const stream = zstdRepeat(65536, 9, window);
    const reading = nodeCodec.decompress("zstd", stream, whole);
    if (isRead) expect(await reading).toEqual(new Uint8Array(65536).fill(9));
    else await expect(reading).rejects.toThrow("window is too large");
  });
});
