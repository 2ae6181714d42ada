import { Qcow2Error } from "../errors.ts";
import type { LuksHeader, LuksKeySlot } from "./header.ts";
import { cbcCipher, essivIv, plainIv, type SectorCipher, xtsCipher } from "./sector-cipher.ts";

/** Reads bytes of the LUKS area of an image, counted from the LUKS header. */
export type ReadLuksArea = (offset: number, length: number) => Promise<Uint8Array>;

/** Hash names of LUKS and what WebCrypto calls them. */
const hashes: ReadonlyMap<string, string> = new Map([
  ["sha1", "SHA-1"],
  ["sha256", "SHA-256"],
  ["sha384", "SHA-384"],
  ["sha512", "SHA-512"],
]);

/**
 * Finds the volume key with a passphrase and returns the cipher of the image's clusters.
 *
 * Tries the slots in order, and looks before each derivation whether that is still wanted. Uses WebCrypto for the key derivation, so it runs in browsers too.
 *
 * @throws Qcow2Error `QCOW2_PASSPHRASE_WRONG` (auth) when no slot opens, `QCOW2_UNSUPPORTED_ENCRYPTION` naming the cipher,
 *   mode or hash that cannot be had, and what `read` throws.
 */
export async function unlockLuks(
  header: LuksHeader,
  passphrase: Uint8Array,
  read: ReadLuksArea,
  throwIfAborted: () => void = () => {},
): Promise<SectorCipher> {
  const hash = hashes.get(header.hashName) ?? unsupported(`the hash ${header.hashName}`);
  // Made once with zeros, so that an unsupported cipher is refused before the costly derivation.
  await cipherOf(header, new Uint8Array(header.keyBytes));
  for (const slot of header.slots) {
    throwIfAborted();
    const slotKey = await deriveKey(passphrase, slot.salt, slot.iterations, header.keyBytes, hash);
    const volumeKey = await openSlot(header, slot, slotKey, hash, read);
    throwIfAborted();
    if (await isVolumeKey(header, volumeKey, hash)) return cipherOf(header, volumeKey);
  }
  throw new Qcow2Error({
    code: "QCOW2_PASSPHRASE_WRONG",
    message: `cannot unlock the image: the passphrase opens none of its ${header.slots.length} key slots`,
    structure: "encryption header",
    hint: "give the passphrase that the image was made with",
  });
}

async function openSlot(
  header: LuksHeader,
  slot: LuksKeySlot,
  slotKey: Uint8Array,
  hash: string,
  read: ReadLuksArea,
): Promise<Uint8Array> {
  const splitBytes = header.keyBytes * slot.stripes;
  const material = await read(slot.materialOffset, Math.ceil(splitBytes / 512) * 512);
  const cipher = await cipherOf(header, slotKey);
  cipher.decryptSectors(material, 0);
  return mergeStripes(material.subarray(0, splitBytes), header.keyBytes, hash);
}

async function isVolumeKey(
  header: LuksHeader,
  candidate: Uint8Array,
  hash: string,
): Promise<boolean> {
  const { digestSalt, digestIterations, digest } = header;
  const found = await deriveKey(candidate, digestSalt, digestIterations, digest.byteLength, hash);
  return found.every((byte, i) => byte === digest[i]);
}

/** The anti-forensic merge (LUKS on-disk format 1.2.3, section 2.4): XOR and diffuse every stripe, XOR the last. */
async function mergeStripes(
  split: Uint8Array,
  keyBytes: number,
  hash: string,
): Promise<Uint8Array> {
  let key = new Uint8Array(keyBytes);
  for (let offset = 0; offset < split.byteLength; offset += keyBytes) {
    for (let i = 0; i < keyBytes; i++) key[i] = (key[i] as number) ^ (split[offset + i] as number);
    const isLast = offset + keyBytes >= split.byteLength;
    if (!isLast) key = await diffuse(key, hash);
  }
  return key;
}

/** Replaces each hash-sized piece by the hash of its big-endian number and itself; the last piece may be shorter. */
async function diffuse(key: Uint8Array, hash: string): Promise<Uint8Array<ArrayBuffer>> {
  const result = new Uint8Array(key.byteLength);
  for (let offset = 0, number = 0; offset < key.byteLength; number++) {
    const length = Math.min(digestBytes(hash), key.byteLength - offset);
    const input = new Uint8Array(4 + length);
    new DataView(input.buffer).setUint32(0, number);
    input.set(key.subarray(offset, offset + length), 4);
    const digest = new Uint8Array(await crypto.subtle.digest(hash, input));
    result.set(digest.subarray(0, length), offset);
    offset += length;
  }
  return result;
}

function digestBytes(hash: string): number {
  return hash === "SHA-1" ? 20 : Number(hash.slice(4)) / 8;
}

async function deriveKey(
  secret: Uint8Array,
  salt: Uint8Array,
  iterations: number,
  bytes: number,
  hash: string,
): Promise<Uint8Array> {
  const key = await crypto.subtle.importKey("raw", secret.slice(), "PBKDF2", false, ["deriveBits"]);
  const algorithm = { name: "PBKDF2", hash, salt: salt.slice(), iterations };
  return new Uint8Array(await crypto.subtle.deriveBits(algorithm, key, bytes * 8));
}

async function cipherOf(header: LuksHeader, key: Uint8Array): Promise<SectorCipher> {
  const { cipherName, cipherMode } = header;
  if (cipherName !== "aes") unsupported(`the cipher ${cipherName}`);
  const [chain, vector] = cipherMode.split("-", 2);
  const iv = await ivOf(vector ?? "", key);
  if (chain === "xts" && iv !== undefined && [32, 48, 64].includes(key.byteLength)) {
    return xtsCipher(key, iv);
  }
  if (chain === "cbc" && iv !== undefined && [16, 24, 32].includes(key.byteLength)) {
    return cbcCipher(key, iv);
  }
  return unsupported(`the cipher mode aes-${cipherMode} with a key of ${key.byteLength} bytes`);
}

async function ivOf(vector: string, key: Uint8Array) {
  if (vector === "plain") return plainIv(32);
  if (vector === "plain64") return plainIv(64);
  if (vector !== "essiv:sha256") return undefined;
  return essivIv(new Uint8Array(await crypto.subtle.digest("SHA-256", key.slice())));
}

function unsupported(what: string): never {
  throw new Qcow2Error({
    code: "QCOW2_UNSUPPORTED_ENCRYPTION",
    message: `cannot unlock the image: ${what} is not supported`,
    structure: "encryption header",
    hint: "supported are AES in the modes xts and cbc with plain, plain64 or essiv:sha256, and the hashes sha1, sha256, sha384 and sha512",
  });
}
