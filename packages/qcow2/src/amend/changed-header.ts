import {
  type BackingReference,
  backingFormat,
  backingNameBytes,
} from "../create/header-cluster.ts";
import { Qcow2Error } from "../errors.ts";
import { extensionTypes } from "../extensions/layout.ts";
import { type ExtensionContent, serializeExtensions } from "../extensions/serialize.ts";
import { autoclearBits, bitsOf, hasBit } from "../header/features.ts";
import type { Header } from "../header/parse.ts";
import { serializeHeader } from "../header/serialize.ts";
import type { HeaderArea } from "../inspect/read-header.ts";

/** What becomes different in a header; all else stays as it is. */
export interface HeaderChange {
  /** Fields with other values. */
  readonly fields?: Partial<Header>;
  /** The new backing file; `null` for none. */
  readonly backing?: BackingReference | null;
  /** Extensions that take the place of those of their type, or are added. */
  readonly extensions?: readonly ExtensionContent[];
  /** Types of extensions that are left out. */
  readonly withoutExtensions?: readonly number[];
}

/**
 * Builds the first bytes of an image with a changed header. Fields and extensions that are not known here are kept as
 * they are; autoclear bits that are not known are cleared, as a writer has to. The feature name table, which only helps
 * messages, gives way where there is no room. Pure.
 *
 * @returns The header area, and zeros where the old one was longer.
 * @throws {@link Qcow2Error} `QCOW2_INVALID_ARGUMENT` when a name cannot be stored.
 */
export function changedHeader(area: HeaderArea, change: HeaderChange): Uint8Array {
  const header = { ...area.header, ...change.fields };
  const name = nameOf(area, change);
  if (name.byteLength > 0 && hasBit(header.autoclearFeatures, autoclearBits.rawDataFile)) {
    throw invalid("an image with a raw external data file cannot have a backing file");
  }
  const clusterSize = 2 ** header.clusterBits;
  const room = clusterSize - header.headerLength - name.byteLength;
  const wanted = extensionsOf(area, change);
  let extensions = serializeExtensions(wanted);
  if (extensions.byteLength > room) {
    extensions = serializeExtensions(
      wanted.filter(({ type }) => type !== extensionTypes.featureNames),
    );
  }
  if (extensions.byteLength > room) {
    throw invalid(
      `header, extensions and a backing name of ${name.byteLength} bytes do not fit a cluster of ${clusterSize} bytes`,
    );
  }
  const nameOffset = header.headerLength + extensions.byteLength;
  const bytes = new Uint8Array(Math.max(nameOffset + name.byteLength, endOf(area)));
  const known = bitsOf(...Object.values(autoclearBits));
  const placed = {
    ...header,
    autoclearFeatures: header.autoclearFeatures & known,
    backingFileOffset: name.byteLength === 0 ? 0 : nameOffset,
    backingFileSize: name.byteLength,
  };
  bytes.set(serializeHeader(placed));
  bytes.set(extensions, header.headerLength);
  bytes.set(name, nameOffset);
  return bytes;
}

function nameOf({ backingName }: HeaderArea, { backing }: HeaderChange): Uint8Array {
  if (backing === undefined) return backingName ?? new Uint8Array(0);
  return backing === null ? new Uint8Array(0) : backingNameBytes(backing.name);
}

/** The extensions in their old order, with what is new before them. */
function extensionsOf(area: HeaderArea, change: HeaderChange): ExtensionContent[] {
  const { backing, withoutExtensions = [] } = change;
  const replaced = [
    ...(backing ? [backingFormat(backing.format)] : []),
    ...(change.extensions ?? []),
  ];
  const dropped = new Set([
    ...withoutExtensions,
    ...(backing === undefined ? [] : [extensionTypes.backingFormat]),
    ...replaced.map(({ type }) => type),
  ]);
  const kept = area.extensions.filter(({ type }) => !dropped.has(type));
  return [...replaced, ...kept];
}

/** Where the old header area ends, within the first cluster. Without an offset the size of a name says nothing. */
function endOf({ header, extensions }: HeaderArea): number {
  const last = extensions.at(-1);
  const extensionsEnd = last === undefined ? 0 : last.offset + 8 + last.data.byteLength;
  const { backingFileOffset, backingFileSize } = header;
  const nameEnd = backingFileOffset === 0 ? 0 : backingFileOffset + backingFileSize;
  return Math.min(2 ** header.clusterBits, Math.max(header.headerLength, extensionsEnd, nameEnd));
}

function invalid(message: string): Qcow2Error {
  return new Qcow2Error({ code: "QCOW2_INVALID_ARGUMENT", message, structure: "header" });
}
