/**
 * AES on single blocks, for storage where the platform's crypto has no suitable mode (WebCrypto has no XTS and always
 * pads CBC). Table-driven: not constant-time, so it is for reading images, not for guarding secrets from a neighbour.
 *
 * See FIPS 197.
 */
export interface AesKey {
  /** Replaces the 16 bytes at `offset` by their encryption. */
  encryptBlock(bytes: Uint8Array, offset: number): void;
  /** Replaces the 16 bytes at `offset` by their decryption. */
  decryptBlock(bytes: Uint8Array, offset: number): void;
}

/** Working space of one block; a call never yields, so all keys share it. */
const scratch: readonly [Uint32Array, Uint32Array] = [new Uint32Array(4), new Uint32Array(4)];
/** Made with the first key: most images need none. */
let madeTables: AesTables | undefined;

/** Prepares a key of 16, 24 or 32 bytes. The key bytes may be wiped afterwards. */
export function expandAesKey(key: Uint8Array): AesKey {
  if (![16, 24, 32].includes(key.byteLength)) {
    throw new Error(`an AES key has 16, 24 or 32 bytes, not ${key.byteLength}`);
  }
  madeTables ??= makeTables();
  const { sbox, inverseSbox, encryptTables, decryptTables } = madeTables;
  const rounds = key.byteLength / 4 + 6;
  const forward = expandForward(key, rounds, sbox);
  const backward = invertSchedule(forward, rounds, madeTables);
  return {
    encryptBlock: (bytes, offset) =>
      crypt(bytes, offset, forward, rounds, encryptTables, sbox, [0, 1, 2, 3]),
    decryptBlock: (bytes, offset) =>
      crypt(bytes, offset, backward, rounds, decryptTables, inverseSbox, [0, 3, 2, 1]),
  };
}

/** One block. `order` says from which column each row of the state comes (ShiftRows or its inverse). */
function crypt(
  bytes: Uint8Array,
  offset: number,
  schedule: Uint32Array,
  rounds: number,
  tables: readonly Uint32Array[],
  lastBox: Uint8Array,
  order: readonly [number, number, number, number],
): void {
  const [t0, t1, t2, t3] = tables as [Uint32Array, Uint32Array, Uint32Array, Uint32Array];
  const view = new DataView(bytes.buffer, bytes.byteOffset + offset, 16);
  let state = scratch[0];
  let next = scratch[1];
  for (let column = 0; column < 4; column++) {
    state[column] = view.getUint32(column * 4) ^ at(schedule, column);
  }
  for (let round = 1; round < rounds; round++) {
    for (let column = 0; column < 4; column++) {
      next[column] =
        at(t0, at(state, column) >>> 24) ^
        at(t1, (at(state, (column + order[1]) & 3) >>> 16) & 255) ^
        at(t2, (at(state, (column + order[2]) & 3) >>> 8) & 255) ^
        at(t3, at(state, (column + order[3]) & 3) & 255) ^
        at(schedule, round * 4 + column);
    }
    [state, next] = [next, state];
  }
  for (let column = 0; column < 4; column++) {
    const word =
      (at(lastBox, at(state, column) >>> 24) << 24) |
      (at(lastBox, (at(state, (column + order[1]) & 3) >>> 16) & 255) << 16) |
      (at(lastBox, (at(state, (column + order[2]) & 3) >>> 8) & 255) << 8) |
      at(lastBox, at(state, (column + order[3]) & 3) & 255);
    view.setUint32(column * 4, (word ^ at(schedule, rounds * 4 + column)) >>> 0);
  }
}

function expandForward(key: Uint8Array, rounds: number, sbox: Uint8Array): Uint32Array {
  const words = key.byteLength / 4;
  const schedule = new Uint32Array((rounds + 1) * 4);
  const view = new DataView(key.buffer, key.byteOffset, key.byteLength);
  let roundConstant = 1;
  for (let i = 0; i < schedule.length; i++) {
    if (i < words) {
      schedule[i] = view.getUint32(i * 4);
      continue;
    }
    let word = at(schedule, i - 1);
    if (i % words === 0) {
      word = substitute((word << 8) | (word >>> 24), sbox) ^ (roundConstant << 24);
      roundConstant = double(roundConstant);
    } else if (words > 6 && i % words === 4) {
      word = substitute(word, sbox);
    }
    schedule[i] = at(schedule, i - words) ^ word;
  }
  return schedule;
}

/** The schedule of the equivalent inverse cipher: rounds reversed, the inner ones through InvMixColumns. */
function invertSchedule(
  forward: Uint32Array,
  rounds: number,
  { sbox, decryptTables }: AesTables,
): Uint32Array {
  const [t0, t1, t2, t3] = decryptTables as [Uint32Array, Uint32Array, Uint32Array, Uint32Array];
  const schedule = new Uint32Array(forward.length);
  for (let round = 0; round <= rounds; round++) {
    for (let column = 0; column < 4; column++) {
      const word = at(forward, (rounds - round) * 4 + column);
      schedule[round * 4 + column] =
        round === 0 || round === rounds
          ? word
          : at(t0, at(sbox, word >>> 24)) ^
            at(t1, at(sbox, (word >>> 16) & 255)) ^
            at(t2, at(sbox, (word >>> 8) & 255)) ^
            at(t3, at(sbox, word & 255));
    }
  }
  return schedule;
}

function substitute(word: number, sbox: Uint8Array): number {
  return (
    (at(sbox, word >>> 24) << 24) |
    (at(sbox, (word >>> 16) & 255) << 16) |
    (at(sbox, (word >>> 8) & 255) << 8) |
    at(sbox, word & 255)
  );
}

type AesTables = ReturnType<typeof makeTables>;

function makeTables() {
  const sbox = makeSbox();
  const inverseSbox = new Uint8Array(256);
  for (let i = 0; i < 256; i++) inverseSbox[at(sbox, i)] = i;
  const encryptTables = rotations((i) => {
    const s = at(sbox, i);
    return (times(s, 2) << 24) | (s << 16) | (s << 8) | times(s, 3);
  });
  const decryptTables = rotations((i) => {
    const s = at(inverseSbox, i);
    return (times(s, 14) << 24) | (times(s, 9) << 16) | (times(s, 13) << 8) | times(s, 11);
  });
  return { sbox, inverseSbox, encryptTables, decryptTables };
}

/** Four tables, each the one before rotated right by a byte. */
function rotations(word: (index: number) => number): readonly Uint32Array[] {
  const first = Uint32Array.from({ length: 256 }, (_, i) => word(i) >>> 0);
  return [0, 8, 16, 24].map((bits) =>
    first.map((value) => (bits === 0 ? value : ((value >>> bits) | (value << (32 - bits))) >>> 0)),
  );
}

function makeSbox(): Uint8Array {
  const box = new Uint8Array(256);
  let p = 1;
  let q = 1;
  // p walks through all powers of 3, q through their inverses.
  do {
    p = p ^ double(p);
    q ^= q << 1;
    q ^= q << 2;
    q ^= q << 4;
    q &= 255;
    if ((q & 0x80) !== 0) q ^= 9;
    const rotated = q ^ rotate(q, 1) ^ rotate(q, 2) ^ rotate(q, 3) ^ rotate(q, 4);
    box[p] = rotated ^ 0x63;
  } while (p !== 1);
  box[0] = 0x63;
  return box;
}

function rotate(byte: number, bits: number): number {
  return ((byte << bits) | (byte >>> (8 - bits))) & 255;
}

/** Multiplies by x in GF(2^8) modulo 0x11b. */
function double(byte: number): number {
  return ((byte << 1) ^ ((byte & 0x80) !== 0 ? 0x11b : 0)) & 255;
}

function times(byte: number, factor: number): number {
  let product = 0;
  for (let power = byte, rest = factor; rest > 0; rest >>>= 1, power = double(power)) {
    if ((rest & 1) !== 0) product ^= power;
  }
  return product;
}

/** An element that is always there. */
function at(array: Uint8Array | Uint32Array, index: number): number {
  return array[index] as number;
}
