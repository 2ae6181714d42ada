/** The two words by which a directory's index sorts a name. */
export interface NameHash {
  /** The word that the index stores; its lowest bit is 0. */
  readonly major: number;
  /** Breaks ties. */
  readonly minor: number;
}

/** The largest value means "end of directory", so no name may have it. */
const endOfDirectory = 0xfffffffe;

/**
 * The hash of a name in a directory index: half MD4 over bytes taken as unsigned.
 *
 * @param seed - `s_hash_seed` as four words; MD4's own start values when it is all zeros.
 * @see The Linux kernel's documentation of ext4, "Hash Tree Directories"
 */
export function halfMd4(name: Uint8Array, seed: Uint32Array): NameHash {
  const state = seed.some((word) => word !== 0) ? Uint32Array.from(seed) : Uint32Array.from(start);
  for (let at = 0; at < name.byteLength; at += 32) {
    fillInput(name, at);
    transform(state);
  }
  const major = ((state[1] as number) & ~1) >>> 0;
  return {
    major: major === endOfDirectory ? endOfDirectory - 2 : major,
    minor: state[2] as number,
  };
}

const start = [0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476];
const input = new Uint32Array(8);

/** Packs up to 32 bytes big-endian; what is missing is filled with the length. */
function fillInput(name: Uint8Array, at: number): void {
  const left = name.byteLength - at;
  const length = left & 0xff;
  const padding = (length | (length << 8) | (length << 16) | (length << 24)) >>> 0;
  const taken = Math.min(left, 32);
  for (let word = 0; word < 8; word++) {
    let value = padding;
    for (let i = word * 4; i < Math.min(word * 4 + 4, taken); i++) {
      value = ((name[at + i] as number) + (value << 8)) >>> 0;
    }
    input[word] = value;
  }
}

/** Each round's order of the input words, its four rotations and what it adds. */
const rounds = [
  { order: [0, 1, 2, 3, 4, 5, 6, 7], rotations: [3, 7, 11, 19], adds: 0 },
  { order: [1, 3, 5, 7, 0, 2, 4, 6], rotations: [3, 5, 9, 13], adds: 0x5a827999 },
  { order: [3, 7, 2, 6, 1, 5, 0, 4], rotations: [3, 9, 11, 15], adds: 0x6ed9eba1 },
] as const;

function transform(state: Uint32Array): void {
  let [a, b, c, d] = state as unknown as [number, number, number, number];
  for (let round = 0; round < 3; round++) {
    const { order, rotations, adds } = rounds[round] as (typeof rounds)[number];
    for (let step = 0; step < 8; step++) {
      const mixed =
        round === 0 ? d ^ (b & (c ^ d)) : round === 1 ? (b & c) + ((b ^ c) & d) : b ^ c ^ d;
      const sum = (a + mixed + (input[order[step] as number] as number) + adds) | 0;
      const by = rotations[step & 3] as number;
      const rotated = (sum << by) | (sum >>> (32 - by));
      a = d;
      d = c;
      c = b;
      b = rotated;
    }
  }
  state[0] = (state[0] as number) + a;
  state[1] = (state[1] as number) + b;
  state[2] = (state[2] as number) + c;
  state[3] = (state[3] as number) + d;
}
