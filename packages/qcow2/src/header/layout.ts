/**
 * The header, in file order. All numbers are big-endian.
 *
 * | offset | size | name |
 * |---|---|---|
 * | 0 | 4 | magic `QFI\xfb` |
 * | 4 | 4 | version, 2 or 3 |
 * | 8 | 8 | backing_file_offset |
 * | 16 | 4 | backing_file_size |
 * | 20 | 4 | cluster_bits |
 * | 24 | 8 | size (virtual, bytes) |
 * | 32 | 4 | crypt_method |
 * | 36 | 4 | l1_size (entries) |
 * | 40 | 8 | l1_table_offset |
 * | 48 | 8 | refcount_table_offset |
 * | 56 | 4 | refcount_table_clusters |
 * | 60 | 4 | nb_snapshots |
 * | 64 | 8 | snapshots_offset |
 * | 72 | 8 | incompatible_features (version 3 from here on) |
 * | 80 | 8 | compatible_features |
 * | 88 | 8 | autoclear_features |
 * | 96 | 4 | refcount_order |
 * | 100 | 4 | header_length |
 * | 104 | 1 | compression_type, when header_length > 104 |
 *
 * @see qcow2 specification, "Header"
 */
export const headerFields = {
  magic: 0,
  version: 4,
  backingFileOffset: 8,
  backingFileSize: 16,
  clusterBits: 20,
  size: 24,
  cryptMethod: 32,
  l1Size: 36,
  l1TableOffset: 40,
  refcountTableOffset: 48,
  refcountTableClusters: 56,
  snapshotCount: 60,
  snapshotsOffset: 64,
  incompatibleFeatures: 72,
  compatibleFeatures: 80,
  autoclearFeatures: 88,
  refcountOrder: 96,
  headerLength: 100,
  compressionType: 104,
} as const;

/** `QFI\xfb`. */
export const magic = 0x514649fb;

/** Bytes of a version 2 header. */
export const v2HeaderLength = 72;

/** Fewest bytes of a version 3 header. */
export const v3HeaderLength = 104;

/** Bytes of the version 3 header that this package writes: with compression_type, padded to 8. */
export const writtenHeaderLength = 112;

/** Limits that QEMU 7.2 sets, adopted here so that what one opens the other opens too. */
export const formatLimits = {
  minClusterBits: 9,
  maxClusterBits: 21,
  minExtendedL2ClusterBits: 14,
  maxRefcountOrder: 6,
  maxL1Bytes: 33_554_432,
  maxRefcountTableBytes: 8_388_608,
  maxSnapshots: 65536,
  maxSnapshotTableBytes: 67_108_864,
  maxSnapshotExtraBytes: 1024,
  maxBitmaps: 65535,
  maxBitmapDirectoryBytes: 67_108_864,
  maxBackingNameBytes: 1023,
  maxBackingFormatBytes: 15,
} as const;
