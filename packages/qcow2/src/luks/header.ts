import { Qcow2Error } from "../errors.ts";

/*
 * The LUKS1 header (LUKS on-disk format 1.2.3, section 2.1), big-endian, 592 bytes:
 *   0   6  magic "LUKS" ba be      104  4  payload offset in sectors (unused inside qcow2)
 *   6   2  version, 1              108  4  bytes of the volume key
 *   8  32  cipher name             112 20  digest of the volume key
 *  40  32  cipher mode             132 32  salt of that digest
 *  72  32  hash name               164  4  iterations of that digest
 *                                  168 40  uuid
 * then eight key slots of 48 bytes: active mark, iterations, salt (32), offset in sectors, stripes.
 */
/** Bytes of a LUKS1 header with its key slots. */
export const luksHeaderBytes = 592;

const magic = [0x4c, 0x55, 0x4b, 0x53, 0xba, 0xbe];
const activeMark = 0x00ac71f3;
const inactiveMark = 0x0000dead;
const slotsOffset = 208;
const slotBytes = 48;
const slotCount = 8;

/** A place that holds the volume key, locked by one passphrase. */
export interface LuksKeySlot {
  /** 0 to 7. */
  readonly index: number;
  /** Rounds of PBKDF2 that the passphrase goes through. */
  readonly iterations: number;
  /** 32 random bytes. */
  readonly salt: Uint8Array;
  /** Where the key material begins, in bytes from the LUKS header. */
  readonly materialOffset: number;
  /** How many times its size the key is spread over. */
  readonly stripes: number;
}

/** What a LUKS1 header says. */
export interface LuksHeader {
  /** Such as `aes`. */
  readonly cipherName: string;
  /** Such as `xts-plain64`. */
  readonly cipherMode: string;
  /** Such as `sha256`. */
  readonly hashName: string;
  /** Bytes of the volume key, 16 to 64. */
  readonly keyBytes: number;
  /** PBKDF2 of the volume key, 20 bytes. */
  readonly digest: Uint8Array;
  /** Salt of the digest, 32 bytes. */
  readonly digestSalt: Uint8Array;
  /** Rounds of the digest. */
  readonly digestIterations: number;
  /** The volume's uuid as text. */
  readonly uuid: string;
  /** The slots in use, in order. */
  readonly slots: readonly LuksKeySlot[];
  /** Where the key material of each of the eight slots is, in bytes from the LUKS header. */
  readonly slotOffsets: readonly number[];
  /** Where the payload would be, in bytes from the LUKS header; unused inside qcow2. */
  readonly payloadOffset: number;
}

/** What a LUKS header may ask for before it is refused. */
export interface LuksLimits {
  /** Rounds of PBKDF2 for one slot or the digest; a round costs a fraction of a microsecond. */
  readonly maxIterations: number;
  /** Rounds for trying all slots, each with the digest. */
  readonly maxTotalIterations: number;
}

/**
 * 50 million rounds: above what qemu-img and cryptsetup choose on fast machines, some 20 s on a slow one. For eight slots
 * that nobody made in vain four times as many are enough.
 */
const defaultLuksLimits: LuksLimits = {
  maxIterations: 50_000_000,
  maxTotalIterations: 200_000_000,
};

/**
 * Reads a LUKS1 header.
 *
 * @param bytes - At least {@link luksHeaderBytes}.
 * @param base - Where it lies in the image file, for errors.
 * @throws Qcow2Error `QCOW2_LUKS_INVALID` (corrupt), `QCOW2_UNSUPPORTED_ENCRYPTION`, `QCOW2_LUKS_LIMIT`.
 */
export function parseLuksHeader(
  bytes: Uint8Array,
  base: number,
  limits: LuksLimits = defaultLuksLimits,
): LuksHeader {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (!magic.every((byte, i) => bytes[i] === byte)) invalid("its magic is wrong", base);
  const version = view.getUint16(6);
  if (version !== 1) {
    throw new Qcow2Error({
      code: "QCOW2_UNSUPPORTED_ENCRYPTION",
      message: `cannot read the encryption header: LUKS version ${version} is not supported, only 1`,
      offset: base + 6,
      structure: "encryption header",
    });
  }
  const keyBytes = view.getUint32(108);
  if (keyBytes < 16 || keyBytes > 64) invalid(`a volume key of ${keyBytes} bytes`, base + 108);
  const digestIterations = iterationsAt(view, 164, base, limits);
  const slots = parseSlots(bytes, view, base, limits);
  const total = slots.reduce((sum, { iterations }) => sum + iterations + digestIterations, 0);
  if (total > limits.maxTotalIterations) {
    throw tooManyRounds(
      `${total} key derivation rounds for its slots`,
      limits.maxTotalIterations,
      base,
    );
  }
  return {
    cipherName: textAt(bytes, 8, 32, base),
    cipherMode: textAt(bytes, 40, 32, base),
    hashName: textAt(bytes, 72, 32, base),
    keyBytes,
    digest: bytes.slice(112, 132),
    digestSalt: bytes.slice(132, 164),
    digestIterations,
    uuid: textAt(bytes, 168, 40, base),
    slots,
    slotOffsets: Array.from(
      { length: slotCount },
      (_, index) => view.getUint32(slotsOffset + index * slotBytes + 40) * 512,
    ),
    payloadOffset: view.getUint32(104) * 512,
  };
}

function parseSlots(
  bytes: Uint8Array,
  view: DataView,
  base: number,
  limits: LuksLimits,
): LuksKeySlot[] {
  const slots: LuksKeySlot[] = [];
  for (let index = 0; index < slotCount; index++) {
    const start = slotsOffset + index * slotBytes;
    const mark = view.getUint32(start);
    if (mark === inactiveMark) continue;
    if (mark !== activeMark)
      invalid(`key slot ${index} is neither active nor inactive`, base + start);
    const stripes = view.getUint32(start + 44);
    // Every writer uses 4,000; the specification names it as the default (LUKS_STRIPES).
    if (stripes < 1 || stripes > 4_000)
      invalid(`key slot ${index} has ${stripes} stripes`, base + start + 44);
    slots.push({
      index,
      iterations: iterationsAt(view, start + 4, base, limits),
      salt: bytes.slice(start + 8, start + 40),
      materialOffset: view.getUint32(start + 40) * 512,
      stripes,
    });
  }
  return slots;
}

function iterationsAt(view: DataView, offset: number, base: number, limits: LuksLimits): number {
  const iterations = view.getUint32(offset);
  if (iterations === 0) invalid("no key derivation rounds", base + offset);
  if (iterations <= limits.maxIterations) return iterations;
  const rounds = `${iterations} key derivation rounds`;
  throw tooManyRounds(rounds, limits.maxIterations, base + offset);
}

function tooManyRounds(rounds: string, limit: number, offset: number): Qcow2Error {
  return new Qcow2Error({
    code: "QCOW2_LUKS_LIMIT",
    message: `cannot unlock the image: ${rounds} are over the limit of ${limit}`,
    offset,
    structure: "encryption header",
  });
}

/** Text that ends at its first NUL. */
function textAt(bytes: Uint8Array, offset: number, length: number, base: number): string {
  const field = bytes.subarray(offset, offset + length);
  const end = field.indexOf(0);
  const text = field.subarray(0, end < 0 ? length : end);
  if (text.some((byte) => byte < 0x20 || byte > 0x7e))
    invalid("a name that is not plain text", base + offset);
  return String.fromCharCode(...text);
}

function invalid(reason: string, offset: number): never {
  throw new Qcow2Error({
    code: "QCOW2_LUKS_INVALID",
    message: `cannot read the encryption header: ${reason}`,
    offset,
    structure: "encryption header",
  });
}
