/** What a parser accepts before it gives up with `TAR_OVER_LIMIT`. */
export interface TarLimits {
  /** Entries of one archive. Default 10,000,000. */
  readonly maxEntries: number;
  /** One PAX header, in bytes. Default 1 MiB. */
  readonly maxPaxBytes: number;
  /** A path or a link's target, in bytes. Default 4,096. */
  readonly maxPathBytes: number;
  /** Names and values of one entry's extended attributes together, in bytes. Default 64 KiB. */
  readonly maxXattrBytes: number;
  /** Extended attributes of one entry, those of global headers included. Default 1,000. */
  readonly maxXattrs: number;
  /**
   * Keys and values of global headers that hold together, in bytes: they are read again for every entry that follows, the
   * smallest of which takes 512 bytes. Default 1 KiB.
   */
  readonly maxGlobalPaxBytes: number;
  /** Extended attributes in global headers: each is one of every entry that follows. Default 32. */
  readonly maxGlobalXattrs: number;
  /** Ranges of data of one sparse file. Default 65,536. */
  readonly maxSparseRanges: number;
}

/** The limits that hold when none are given. */
export const defaultTarLimits: TarLimits = {
  maxEntries: 10_000_000,
  maxPaxBytes: 1024 * 1024,
  maxPathBytes: 4096,
  maxXattrBytes: 65_536,
  maxXattrs: 1000,
  maxGlobalPaxBytes: 1024,
  maxGlobalXattrs: 32,
  maxSparseRanges: 65_536,
};
