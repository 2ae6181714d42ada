/**
 * Types of header extensions.
 *
 * @see qcow2 specification, "Header extensions"
 */
export const extensionTypes = {
  end: 0,
  backingFormat: 0xe2792aca,
  featureNames: 0x6803f857,
  bitmaps: 0x23852875,
  encryption: 0x0537be77,
  dataFile: 0x44415441,
} as const;

/** Bytes of an entry of the feature name table: type, bit, 46 bytes of name. */
export const featureNameEntryBytes = 48;

/** Bytes of the bitmaps extension: count u32, reserved u32, directory size u64, directory offset u64. */
export const bitmapsExtensionBytes = 24;

/** Bytes of the encryption extension: offset u64, length u64. */
export const encryptionExtensionBytes = 16;
