/** Headers and content come in blocks of this size. */
export const blockBytes = 512;

/** A field of a header block: offset and length in bytes. */
export type Field = readonly [offset: number, length: number];

/**
 * The header block: POSIX ustar, and what GNU tar keeps in place of the prefix.
 *
 * @see POSIX.1-2017, pax, "ustar Interchange Format"; the GNU tar manual, "Basic Tar Format"
 */
export const fields = {
  name: [0, 100],
  mode: [100, 8],
  uid: [108, 8],
  gid: [116, 8],
  size: [124, 12],
  mtime: [136, 12],
  checksum: [148, 8],
  type: [156, 1],
  linkName: [157, 100],
  magic: [257, 6],
  version: [263, 2],
  deviceMajor: [329, 8],
  deviceMinor: [337, 8],
  prefix: [345, 155],
  starPrefix: [345, 131],
  starTrailer: [508, 4],
  sparseRanges: [386, 96],
  sparseContinues: [482, 1],
  sparseRealSize: [483, 12],
  moreSparseRanges: [0, 504],
  moreSparseContinues: [504, 1],
} as const;

/** `type` of entries and of the headers that say more about the next entry. */
export const typeFlags = {
  oldFile: 0,
  file: 0x30, // "0"
  hardlink: 0x31,
  symlink: 0x32,
  char: 0x33,
  block: 0x34,
  directory: 0x35,
  fifo: 0x36,
  contiguousFile: 0x37, // "7"
  paxLocal: 0x78, // "x"
  paxLocalOfSolaris: 0x58, // "X"
  paxGlobal: 0x67, // "g"
  gnuLongName: 0x4c, // "L"
  gnuLongLink: 0x4b, // "K"
  gnuSparse: 0x53, // "S"
  gnuDirectory: 0x44, // "D"
  gnuVolume: 0x56, // "V"
} as const;
