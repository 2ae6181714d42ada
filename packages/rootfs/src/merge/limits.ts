/** How much the layers of one image may ask for. */
export interface MergeLimits {
  /** Layers; 1,000 unless given. */
  readonly maxLayers: number;
  /** Entries of all layers together; 20 million unless given. */
  readonly maxEntries: number;
  /** Files, directories and other nodes made by all layers together; 10 million unless given. */
  readonly maxNodes: number;
  /**
   * Bytes of names, of symbolic links' targets and of sets of extended attributes that are kept in memory, for all layers
   * together; 512 MiB unless given.
   */
  readonly maxTextBytes: number;
  /** Bytes of a path inside a layer; 4,096 unless given. */
  readonly maxPathBytes: number;
  /** Bytes that hard links before their targets take, their paths and 256 for each, per layer; 64 MiB unless given. */
  readonly maxPendingLinkBytes: number;
  /**
   * Bytes of symbolic links' targets that are followed on the way to entries, of all layers together; 64 MiB unless given.
   * An entry of 512 bytes could otherwise ask for a hundred thousand steps.
   */
  readonly maxFollowedBytes: number;
}

/** The limits that hold unless others are given. */
export const defaultMergeLimits: MergeLimits = {
  maxLayers: 1_000,
  maxEntries: 20_000_000,
  maxNodes: 10_000_000,
  maxTextBytes: 512 * 1024 * 1024,
  maxPathBytes: 4_096,
  maxPendingLinkBytes: 64 * 1024 * 1024,
  maxFollowedBytes: 64 * 1024 * 1024,
};

/** Symbolic links followed in one path, as in Linux. */
export const maxSymlinkFollows = 40;
