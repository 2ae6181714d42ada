import type { Codec } from "./codec.ts";
import { inflate } from "./inflate.ts";
import { decompressZstd } from "./zstd/frame.ts";

/** Decompresses zlib and zstd in plain TypeScript, on the calling thread: for browsers and where nothing faster is given. */
export const portableCodec: Codec = {
  async decompress(type, input, options) {
    return type === "zlib" ? inflate(input, options) : decompressZstd(input, options);
  },
};
