import type { SourceReader } from "../bytes/source-reader.ts";
import { Qcow2Error } from "../errors.ts";
import { type ExtensionContents, parseExtensionContents } from "../extensions/contents.ts";
import { type HeaderExtension, parseExtensions } from "../extensions/parse.ts";
import {
  autoclearBits,
  type FeatureName,
  hasBit,
  incompatibleBits,
  unknownIncompatibleBits,
} from "../header/features.ts";
import { headerFields } from "../header/layout.ts";
import { type Header, parseHeader } from "../header/parse.ts";
import { validateHeader } from "../header/validate.ts";

/** How strictly an image is read: `qemu` accepts what QEMU 7.2 accepts where it is laxer. */
export type Compat = "strict" | "qemu";

/** The header area of an image: fields, extensions and the backing name. */
export interface HeaderArea {
  /** The header's fields, valid by themselves. */
  readonly header: Header;
  /** Every extension, in file order. */
  readonly extensions: readonly HeaderExtension[];
  /** What the known ones say. */
  readonly contents: ExtensionContents;
  /** Bytes of the backing name; `undefined` when the image has none. */
  readonly backingName: Uint8Array | undefined;
  /** Incompatible features that are not known here. */
  readonly unknownIncompatible: readonly FeatureName[];
}

const firstReadBytes = 65536;

/**
 * Reads the header area: one read of at most 64 KiB, and a second one only when a cluster is larger and the area too.
 *
 * Unknown incompatible features are reported, not refused; but when one is set, any damage is reported as
 * `QCOW2_UNSUPPORTED_FEATURE`, because the feature may have changed what the fields mean.
 */
export async function readHeaderArea(reader: SourceReader, compat: Compat): Promise<HeaderArea> {
  const first = await reader.readAvailable(0, firstReadBytes);
  const header = parseHeader(first);
  const unknown = unknownIncompatibleBits(header.incompatibleFeatures);
  try {
    validateHeader(header);
    return await readArea(reader, first, header, compat);
  } catch (error) {
    if (unknown.length > 0 && error instanceof Qcow2Error && error.kind === "corrupt") {
      throw unsupportedFeatures(
        unknown.map((bit) => ({ kind: "incompatible", bit, name: "" })),
        error,
      );
    }
    throw error;
  }
}

/** The header area that stands in these bytes, all of it, of an image whose area was another before. */
export function parseHeaderArea(bytes: Uint8Array, before: HeaderArea): HeaderArea {
  const header = parseHeader(bytes);
  const clusterSize = 2 ** header.clusterBits;
  const end = header.backingFileOffset === 0 ? clusterSize : header.backingFileOffset;
  const extensions = parseExtensions(bytes, header.headerLength, end, true) ?? [];
  const contents = parseExtensionContents(extensions, header);
  return { ...before, header, extensions, contents };
}

/** Refuses an image that needs a feature which is not known here. */
export function requireKnownFeatures(area: HeaderArea): void {
  if (area.unknownIncompatible.length > 0) throw unsupportedFeatures(area.unknownIncompatible);
}

async function readArea(
  reader: SourceReader,
  first: Uint8Array,
  header: Header,
  compat: Compat,
): Promise<HeaderArea> {
  const clusterSize = 2 ** header.clusterBits;
  const end = header.backingFileOffset === 0 ? clusterSize : header.backingFileOffset;
  const wanted = Math.min(clusterSize, reader.sizeBytes);
  let bytes = first;
  let extensions = parseExtensions(bytes, header.headerLength, end, bytes.byteLength >= wanted);
  const nameEnd = header.backingFileOffset === 0 ? 0 : end + header.backingFileSize;
  if (extensions === undefined || (nameEnd > bytes.byteLength && bytes.byteLength < wanted)) {
    bytes = await readWholeCluster(reader, first, wanted);
    extensions = parseExtensions(bytes, header.headerLength, end, true) ?? [];
  }
  requireWholeHeader(header, bytes);
  const contents = parseExtensionContents(extensions, header);
  validateDataFile(header);
  const unknown = unknownIncompatibleBits(header.incompatibleFeatures);
  return {
    header,
    extensions,
    contents,
    backingName: backingNameOf(header, bytes, compat),
    unknownIncompatible: unknown.map((bit) => ({
      kind: "incompatible",
      bit,
      name:
        contents.featureNames.find((name) => name.kind === "incompatible" && name.bit === bit)
          ?.name ?? "",
    })),
  };
}

async function readWholeCluster(
  reader: SourceReader,
  first: Uint8Array,
  length: number,
): Promise<Uint8Array> {
  const rest = await reader.readExactly(first.byteLength, length - first.byteLength, "extension");
  const whole = new Uint8Array(length);
  whole.set(first);
  whole.set(rest, first.byteLength);
  return whole;
}

function requireWholeHeader(header: Header, bytes: Uint8Array): void {
  if (bytes.byteLength >= header.headerLength) return;
  throw new Qcow2Error({
    code: "QCOW2_TRUNCATED",
    message: `the header has ${header.headerLength} bytes, but the file ends at byte ${bytes.byteLength}`,
    offset: 0,
    structure: "header",
  });
}

function validateDataFile(header: Header): void {
  if (!hasBit(header.autoclearFeatures, autoclearBits.rawDataFile)) return;
  const isExternal = hasBit(header.incompatibleFeatures, incompatibleBits.externalDataFile);
  const hasBackingName = header.backingFileOffset !== 0 && header.backingFileSize > 0;
  if (isExternal && !hasBackingName) return;
  throw new Qcow2Error({
    code: "QCOW2_FEATURE_CONFLICT",
    message: isExternal
      ? "an image with a raw external data file cannot have a backing file"
      : "the image says that its external data file is raw, but it has none",
    offset: headerFields.autoclearFeatures,
    structure: "header",
    details: { field: "autoclearFeatures" },
  });
}

function backingNameOf(header: Header, bytes: Uint8Array, compat: Compat): Uint8Array | undefined {
  const { backingFileOffset: offset, backingFileSize: length } = header;
  if (offset === 0) return undefined;
  const name = bytes.slice(offset, offset + length);
  if (name.byteLength < length) {
    throw new Qcow2Error({
      code: "QCOW2_TRUNCATED",
      message: `the backing name at byte ${offset} has ${length} bytes, but the file ends at byte ${bytes.byteLength}`,
      offset,
      structure: "backing name",
    });
  }
  const nul = name.indexOf(0);
  if (compat === "qemu") {
    const shown = nul < 0 ? name : name.slice(0, nul);
    return shown.byteLength === 0 ? undefined : shown;
  }
  if (length > 0 && nul < 0) return name;
  throw new Qcow2Error({
    code: "QCOW2_BACKING_NAME_INVALID",
    message: length === 0 ? "the backing name is empty" : "the backing name holds a NUL byte",
    offset: length === 0 ? headerFields.backingFileSize : offset + nul,
    structure: "backing name",
  });
}

function unsupportedFeatures(features: readonly FeatureName[], cause?: Qcow2Error): Qcow2Error {
  const shown = features.map(({ bit, name }) =>
    name === "" ? `bit ${bit}` : `bit ${bit} (${name})`,
  );
  return new Qcow2Error({
    code: "QCOW2_UNSUPPORTED_FEATURE",
    message: `the image needs incompatible features that are not known here: ${shown.join(", ")}`,
    offset: headerFields.incompatibleFeatures,
    structure: "header",
    details: { features: features.map(({ bit, name }) => ({ bit, name })) },
    ...(cause === undefined ? {} : { cause }),
  });
}
