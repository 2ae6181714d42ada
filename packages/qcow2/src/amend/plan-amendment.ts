import { toNameBytes } from "../bytes/text.ts";
import { Qcow2Error } from "../errors.ts";
import { extensionTypes } from "../extensions/layout.ts";
import { featureNameTable } from "../extensions/serialize.ts";
import { autoclearBits, bitsOf, compatibleBits } from "../header/features.ts";
import {
  formatLimits,
  headerFields,
  v2HeaderLength,
  writtenHeaderLength,
} from "../header/layout.ts";
import type { Header } from "../header/parse.ts";
import type { ImageInfo } from "../inspect/image-info.ts";
import type { HeaderArea } from "../inspect/read-header.ts";
import type { AmendImageOptions } from "./amend-options.ts";
import type { HeaderChange } from "./changed-header.ts";

/** What is to be done to an image. */
export interface AmendPlan {
  /** How the header changes in the end. */
  readonly change: HeaderChange;
  /** Whether the header changes at all. */
  readonly isNeeded: boolean;
  /** Whether version 2 becomes 3. */
  readonly isUpgrade: boolean;
  /** Whether version 3 becomes 2. */
  readonly isDowngrade: boolean;
  /** The new width of refcounts, when it is another one. */
  readonly refcountBits: number | undefined;
}

/**
 * Judges what can be changed, and plans it. Pure.
 *
 * @throws {@link Qcow2Error} `QCOW2_INVALID_ARGUMENT`, `QCOW2_UNSUPPORTED_FEATURE`.
 */
export function planAmendment(
  area: HeaderArea,
  info: ImageInfo,
  options: AmendImageOptions,
): AmendPlan {
  const version = options.version ?? info.version;
  const refcountBits = options.refcountBits ?? info.refcountBits;
  requireAgreement(version, refcountBits, options);
  requireDataFile(info, options);
  const isDowngrade = version < info.version;
  const isUpgrade = version > info.version;
  if (isDowngrade) requireDowngradable(area, info);
  const changes: HeaderChange[] = [
    ...(isUpgrade ? [upgrade()] : []),
    ...(isDowngrade ? [downgrade()] : featureChanges(area.header, info, options)),
  ];
  return {
    change: {
      fields: Object.assign({}, ...changes.map(({ fields }) => fields)) as Partial<Header>,
      extensions: changes.flatMap(({ extensions = [] }) => extensions),
      withoutExtensions: changes.flatMap(({ withoutExtensions = [] }) => withoutExtensions),
    },
    isNeeded: changes.length > 0,
    isUpgrade,
    isDowngrade,
    refcountBits: refcountBits === info.refcountBits ? undefined : refcountBits,
  };
}

function requireAgreement(
  version: 2 | 3,
  refcountBits: number,
  { hasLazyRefcounts }: AmendImageOptions,
): void {
  const order = Math.log2(refcountBits);
  if (!Number.isInteger(order) || order < 0 || order > formatLimits.maxRefcountOrder) {
    throw invalid("the refcount width must be 1, 2, 4, 8, 16, 32 or 64 bits");
  }
  if (version !== 2) return;
  if (refcountBits !== 16) throw invalid("version 2 has refcounts of 16 bits");
  if (hasLazyRefcounts) throw invalid("version 2 cannot have lazy refcounts");
}

function requireDataFile(
  { dataFile }: ImageInfo,
  { dataFileName, isDataFileRaw }: AmendImageOptions,
): void {
  if (dataFileName !== undefined) {
    const name = toNameBytes(dataFileName);
    if (name.byteLength === 0 || name.byteLength > 1023 || name.includes(0)) {
      throw invalid("the name of a data file has 1 to 1023 bytes without NUL");
    }
    if (!dataFile)
      throw unsupported("an image that holds its data cannot get an external data file");
  }
  if (isDataFileRaw && !dataFile?.isRaw) {
    throw unsupported("an external data file cannot become a raw image by itself");
  }
}

/** What version 2 cannot have must not be there. */
function requireDowngradable({ header }: HeaderArea, info: ImageInfo): void {
  const used = [
    info.dataFile && "an external data file",
    info.hasExtendedL2 && "extended L2 entries",
    info.compressionType !== "zlib" && "a compression type other than zlib",
    info.encryption !== "none" && "encryption",
    info.bitmaps && "bitmaps",
    header.unknownFields.some((byte) => byte !== 0) && "header fields that are not known here",
  ].filter((feature) => typeof feature === "string");
  if (used.length > 0)
    throw unsupported(`an image with ${used.join(" and ")} cannot become version 2`);
}

function upgrade(): HeaderChange {
  return {
    fields: {
      version: 3,
      headerLength: writtenHeaderLength,
      unknownFields: new Uint8Array(writtenHeaderLength - headerFields.compressionType - 1),
    },
    extensions: [featureNameTable()],
  };
}

function downgrade(): HeaderChange {
  return {
    fields: {
      version: 2,
      headerLength: v2HeaderLength,
      incompatibleFeatures: 0n,
      compatibleFeatures: 0n,
      autoclearFeatures: 0n,
      refcountOrder: 4,
      unknownFields: new Uint8Array(0),
    },
    withoutExtensions: [extensionTypes.featureNames, extensionTypes.bitmaps],
  };
}

function featureChanges(
  header: Header,
  info: ImageInfo,
  { hasLazyRefcounts = info.hasLazyRefcounts, dataFileName, isDataFileRaw }: AmendImageOptions,
): HeaderChange[] {
  const changes: HeaderChange[] = [];
  if (hasLazyRefcounts !== info.hasLazyRefcounts) {
    const lazy = bitsOf(compatibleBits.lazyRefcounts);
    changes.push({ fields: { compatibleFeatures: header.compatibleFeatures ^ lazy } });
  }
  if (dataFileName !== undefined) {
    const data = toNameBytes(dataFileName);
    changes.push({ extensions: [{ type: extensionTypes.dataFile, data }] });
  }
  if (isDataFileRaw === false && info.dataFile?.isRaw) {
    const raw = bitsOf(autoclearBits.rawDataFile);
    changes.push({ fields: { autoclearFeatures: header.autoclearFeatures & ~raw } });
  }
  return changes;
}

function invalid(message: string): Qcow2Error {
  return new Qcow2Error({ code: "QCOW2_INVALID_ARGUMENT", message });
}

function unsupported(message: string): Qcow2Error {
  return new Qcow2Error({ code: "QCOW2_UNSUPPORTED_FEATURE", message, structure: "header" });
}
