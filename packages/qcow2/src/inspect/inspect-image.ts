import type { RandomAccess } from "@box/io";
import { SourceReader } from "../bytes/source-reader.ts";
import { decodeUtf8, toDisplayText } from "../bytes/text.ts";
import { autoclearBits, compatibleBits, hasBit, incompatibleBits } from "../header/features.ts";
import { validateTables } from "../header/validate.ts";
import type { BackingInfo, DataFileInfo, ImageInfo } from "./image-info.ts";
import { type Compat, type HeaderArea, readHeaderArea } from "./read-header.ts";

/** How {@link inspectImage} reads. */
export interface InspectImageOptions {
  /** Aborts the read. */
  readonly signal?: AbortSignal;
  /** `strict` by default; `qemu` reads an empty backing name as none and cuts one at a NUL, as QEMU does. */
  readonly compat?: Compat;
}

/**
 * Reads what the header of an image says.
 *
 * One read of at most 64 KiB (a second one when clusters are larger and the header area does not fit the first). Opens
 * nothing else, writes nothing. Judges the header alone: tables are not read, nor is the file's size compared with them.
 *
 * @throws {@link Qcow2Error} of kind corrupt, unsupported, limit or io.
 */
export async function inspectImage(
  source: RandomAccess,
  options: InspectImageOptions = {},
): Promise<ImageInfo> {
  const reader = await SourceReader.open(source, options.signal);
  const area = await readHeaderArea(reader, options.compat ?? "strict");
  if (area.unknownIncompatible.length === 0) validateTables(area.header);
  return toImageInfo(area, reader.sizeBytes);
}

/** The public form of a header area. */
export function toImageInfo(area: HeaderArea, fileSizeBytes: number): ImageInfo {
  const { header, contents } = area;
  const backing = toBackingInfo(area);
  const dataFile = toDataFileInfo(area);
  const { encryptionHeader, bitmaps } = contents;
  return {
    version: header.version,
    virtualSizeBytes: header.size,
    clusterSizeBytes: 2 ** header.clusterBits,
    clusterBits: header.clusterBits,
    refcountBits: 2 ** header.refcountOrder,
    compressionType: header.compressionType === 0 ? "zlib" : "zstd",
    encryption: (["none", "aes", "luks"] as const)[header.cryptMethod] ?? "none",
    ...(encryptionHeader && { encryptionHeader }),
    ...(backing && { backing }),
    ...(dataFile && { dataFile }),
    isDirty: hasBit(header.incompatibleFeatures, incompatibleBits.dirty),
    isMarkedCorrupt: hasBit(header.incompatibleFeatures, incompatibleBits.corrupt),
    hasLazyRefcounts: hasBit(header.compatibleFeatures, compatibleBits.lazyRefcounts),
    hasExtendedL2: hasBit(header.incompatibleFeatures, incompatibleBits.extendedL2),
    ...(bitmaps && { bitmaps }),
    hasStaleBitmaps: contents.hasStaleBitmaps,
    l1Table: { offset: header.l1TableOffset, entries: header.l1Size },
    refcountTable: {
      offset: header.refcountTableOffset,
      entries: (header.refcountTableClusters * 2 ** header.clusterBits) / 8,
    },
    snapshots: { offset: header.snapshotsOffset, entries: header.snapshotCount },
    features: {
      incompatible: header.incompatibleFeatures,
      compatible: header.compatibleFeatures,
      autoclear: header.autoclearFeatures,
      unknownIncompatible: area.unknownIncompatible,
      names: contents.featureNames,
    },
    headerLengthBytes: header.headerLength,
    extensions: area.extensions,
    fileSizeBytes,
  };
}

function toBackingInfo({ header, contents, backingName }: HeaderArea): BackingInfo | undefined {
  if (backingName === undefined) return undefined;
  const name = decodeUtf8(backingName);
  const format = contents.backingFormat && toDisplayText(contents.backingFormat);
  return {
    nameBytes: backingName,
    ...(name !== undefined && { name }),
    displayName: toDisplayText(backingName),
    ...(format !== undefined && format !== "" && { format }),
    nameOffset: header.backingFileOffset,
  };
}

function toDataFileInfo({ header, contents }: HeaderArea): DataFileInfo | undefined {
  if (!hasBit(header.incompatibleFeatures, incompatibleBits.externalDataFile)) return undefined;
  const { dataFileName } = contents;
  const name = dataFileName && decodeUtf8(dataFileName);
  return {
    ...(dataFileName && { nameBytes: dataFileName }),
    ...(name !== undefined && { name }),
    isRaw: hasBit(header.autoclearFeatures, autoclearBits.rawDataFile),
  };
}
