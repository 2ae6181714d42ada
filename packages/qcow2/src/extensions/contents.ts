import { readU64, viewOf } from "../bytes/big-endian.ts";
import { Qcow2Error } from "../errors.ts";
import { autoclearBits, type FeatureName, hasBit } from "../header/features.ts";
import { formatLimits } from "../header/layout.ts";
import type { Header } from "../header/parse.ts";
import { parseFeatureNames } from "./feature-names.ts";
import { bitmapsExtensionBytes, encryptionExtensionBytes, extensionTypes } from "./layout.ts";
import { extensionError, findExtension, type HeaderExtension } from "./parse.ts";

/** A range of the file that an extension points at. */
export interface FileRange {
  /** First byte. */
  readonly offset: number;
  /** Length in bytes. */
  readonly lengthBytes: number;
}

/** Where the bitmap directory is. */
export interface BitmapDirectoryInfo extends FileRange {
  /** Number of bitmaps. */
  readonly count: number;
}

/** What the extensions that this package knows say. */
export interface ExtensionContents {
  /** Bytes of the backing format name. */
  readonly backingFormat?: Uint8Array;
  /** Bytes of the data file's name. */
  readonly dataFileName?: Uint8Array;
  /** Where the LUKS header is. */
  readonly encryptionHeader?: FileRange;
  /** Where the bitmap directory is; absent when the image says that its bitmaps are not to be used. */
  readonly bitmaps?: BitmapDirectoryInfo;
  /** Whether there is a bitmaps extension without the autoclear bit that makes it valid. */
  readonly hasStaleBitmaps: boolean;
  /** What the image calls feature bits. */
  readonly featureNames: readonly FeatureName[];
}

/**
 * Parses the content of the known extensions.
 *
 * @throws {@link Qcow2Error} `QCOW2_EXTENSION_INVALID` (corrupt), `QCOW2_TABLE_TOO_LARGE` (limit).
 */
export function parseExtensionContents(
  extensions: readonly HeaderExtension[],
  header: Header,
): ExtensionContents {
  const backingFormat = findExtension(extensions, extensionTypes.backingFormat);
  const dataFile = findExtension(extensions, extensionTypes.dataFile);
  const encryption = findExtension(extensions, extensionTypes.encryption);
  const bitmaps = findExtension(extensions, extensionTypes.bitmaps);
  const hasValidBitmaps = hasBit(header.autoclearFeatures, autoclearBits.bitmaps);
  if (backingFormat && backingFormat.data.byteLength > formatLimits.maxBackingFormatBytes) {
    throw extensionError(backingFormat, "the backing format name has more than 15 bytes");
  }
  return {
    ...(backingFormat && { backingFormat: backingFormat.data }),
    ...(dataFile && { dataFileName: dataFile.data }),
    ...(encryption && { encryptionHeader: parseEncryption(encryption, header) }),
    ...(bitmaps && hasValidBitmaps && { bitmaps: parseBitmaps(bitmaps, header) }),
    hasStaleBitmaps: bitmaps !== undefined && !hasValidBitmaps,
    featureNames: parseFeatureNames(findExtension(extensions, extensionTypes.featureNames)),
  };
}

function parseEncryption(extension: HeaderExtension, header: Header): FileRange {
  if (header.cryptMethod !== 2) {
    throw extensionError(extension, "an encryption header stands in an image without LUKS");
  }
  if (extension.data.byteLength !== encryptionExtensionBytes) {
    throw extensionError(extension, `expected ${encryptionExtensionBytes} bytes`);
  }
  const view = viewOf(extension.data);
  const range = { offset: readU64(view, 0), lengthBytes: readU64(view, 8) };
  if (range.offset % 2 ** header.clusterBits !== 0 || !isSafeRange(range)) {
    throw extensionError(extension, "the encryption header is misaligned or out of range");
  }
  return range;
}

function parseBitmaps(extension: HeaderExtension, header: Header): BitmapDirectoryInfo {
  if (extension.data.byteLength !== bitmapsExtensionBytes) {
    throw extensionError(extension, `expected ${bitmapsExtensionBytes} bytes`);
  }
  const view = viewOf(extension.data);
  const count = view.getUint32(0);
  const info = { count, lengthBytes: readU64(view, 8), offset: readU64(view, 16) };
  if (view.getUint32(4) !== 0) throw extensionError(extension, "the reserved field is not zero");
  if (count === 0) throw extensionError(extension, "it lists no bitmaps");
  if (info.offset % 2 ** header.clusterBits !== 0 || !isSafeRange(info)) {
    throw extensionError(extension, "the bitmap directory is misaligned or out of range");
  }
  if (count > formatLimits.maxBitmaps || info.lengthBytes > formatLimits.maxBitmapDirectoryBytes) {
    throw new Qcow2Error({
      code: "QCOW2_TABLE_TOO_LARGE",
      message: `the bitmap directory claims ${count} bitmaps in ${info.lengthBytes} bytes, more than ${formatLimits.maxBitmaps} or ${formatLimits.maxBitmapDirectoryBytes}`,
      offset: extension.offset,
      structure: "bitmap directory",
    });
  }
  return info;
}

function isSafeRange(range: FileRange): boolean {
  return Number.isSafeInteger(range.offset + range.lengthBytes);
}
