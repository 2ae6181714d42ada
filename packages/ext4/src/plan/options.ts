import { Ext4Error } from "../errors.ts";
import { blockBytes, maxBlocks } from "../format/numbers.ts";

/** What a file system is planned with. */
export interface PlanExt4Options {
  /** The size of the image, a multiple of 4,096. By default as small as can be, plus {@link freeBytes}. */
  readonly sizeBytes?: number;
  /** Space to leave free at least, when no size is given. Default 0. */
  readonly freeBytes?: number;
  /** Whether the file system has a journal. Default true; without one it is for reading. */
  readonly journal?: boolean;
  /** The time of everything that has none of its own. Default 0. */
  readonly epochSeconds?: number;
  /** The file system's identity, 16 bytes. A fixed one by default. */
  readonly uuid?: Uint8Array;
  /** The seed of the hashes in large directories, 16 bytes. The uuid by default. */
  readonly hashSeed?: Uint8Array;
  /** The volume's name, at most 16 bytes in UTF-8. */
  readonly label?: string;
}

/** The options with every default filled in and every value checked. */
export interface PlanSettings {
  /** Wanted size in blocks. */
  readonly sizeBlocks: number | undefined;
  /** Wanted free space in blocks. */
  readonly freeBlocks: number;
  /** Whether there is a journal. */
  readonly hasJournal: boolean;
  /** Time of everything without one. */
  readonly epochSeconds: number;
  /** 16 bytes. */
  readonly uuid: Uint8Array;
  /** Four words. */
  readonly hashSeed: Uint32Array;
  /** At most 16 bytes. */
  readonly label: Uint8Array;
}

const uuidBytes = 16;
const maxLabelBytes = 16;
/** Tools take a uuid of zeros for one that is missing. */
const defaultUuid = Uint8Array.of(98, 111, 120, 45, 101, 120, 68, 52, 128, 0, 0, 0, 0, 0, 0, 1);

/**
 * Checks options.
 *
 * @throws {@link Ext4Error} `EXT4_BAD_OPTION`, `EXT4_TOO_LARGE`.
 */
export function validatePlanOptions(options: PlanExt4Options): PlanSettings {
  const { sizeBytes, freeBytes = 0, journal = true, epochSeconds = 0 } = options;
  if (sizeBytes !== undefined && (!isCount(sizeBytes) || sizeBytes % blockBytes !== 0)) {
    throw badOption("sizeBytes", `must be a multiple of ${blockBytes}, is ${sizeBytes}`);
  }
  if (!isCount(freeBytes)) throw badOption("freeBytes", `must be a size in bytes, is ${freeBytes}`);
  if (!isCount(epochSeconds) || epochSeconds > 0xffffffff) {
    throw badOption("epochSeconds", `must be a 32-bit number of seconds, is ${epochSeconds}`);
  }
  const uuid = new Uint8Array(options.uuid ?? defaultUuid);
  const seed = new Uint8Array(options.hashSeed ?? uuid);
  const label = new TextEncoder().encode(options.label ?? "");
  if (uuid.byteLength !== uuidBytes) throw badOption("uuid", `must have ${uuidBytes} bytes`);
  if (seed.byteLength !== uuidBytes) throw badOption("hashSeed", `must have ${uuidBytes} bytes`);
  if (label.byteLength > maxLabelBytes || label.includes(0)) {
    throw badOption("label", `must have at most ${maxLabelBytes} bytes and no NUL`);
  }
  const view = new DataView(seed.buffer);
  const sizeBlocks = sizeBytes === undefined ? undefined : sizeBytes / blockBytes;
  const freeBlocks = Math.ceil(freeBytes / blockBytes);
  if ((sizeBlocks ?? 0) > maxBlocks || freeBlocks > maxBlocks) throw tooLarge();
  return {
    sizeBlocks,
    freeBlocks,
    hasJournal: journal,
    epochSeconds,
    uuid,
    hashSeed: Uint32Array.from([0, 4, 8, 12], (at) => view.getUint32(at, true)),
    label,
  };
}

/** A file system that would need block numbers of more than 32 bits. */
export function tooLarge(): Ext4Error {
  return new Ext4Error({
    code: "EXT4_TOO_LARGE",
    message: `the file system would have more than ${maxBlocks} blocks of ${blockBytes} bytes`,
  });
}

function isCount(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0;
}

function badOption(option: string, what: string): Ext4Error {
  return new Ext4Error({
    code: "EXT4_BAD_OPTION",
    message: `${option} ${what}`,
    details: { option },
  });
}
