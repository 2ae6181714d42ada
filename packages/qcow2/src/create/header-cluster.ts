import { toNameBytes } from "../bytes/text.ts";
import { Qcow2Error } from "../errors.ts";
import { extensionTypes } from "../extensions/layout.ts";
import {
  type ExtensionContent,
  featureNameTable,
  serializeExtensions,
} from "../extensions/serialize.ts";
import { formatLimits } from "../header/layout.ts";
import type { Header } from "../header/parse.ts";
import { serializeHeader } from "../header/serialize.ts";

/** The backing file of a fresh image. */
export interface BackingReference {
  /** The name to store, 1 to 1023 bytes without NUL; stored as it is and never looked up. */
  readonly name: Uint8Array | string;
  /** Its format, which is always stored so that no reader has to guess. */
  readonly format: string;
}

/** What the first cluster of an image holds. */
export interface HeaderClusterContent {
  /** The header; where the backing name is, is filled in. */
  readonly header: Header;
  /** The backing file. */
  readonly backing?: BackingReference | undefined;
  /** Extensions besides the backing format and the feature names. */
  readonly extensions?: readonly ExtensionContent[] | undefined;
}

/**
 * Builds the first cluster: header, extensions, backing name. The feature name table is left out where it does not fit.
 *
 * @returns The bytes in use; the rest of the cluster is zero.
 * @throws {@link Qcow2Error} `QCOW2_INVALID_ARGUMENT` when a name cannot be stored.
 */
export function buildHeaderCluster(content: HeaderClusterContent): Uint8Array {
  const { header, backing } = content;
  const name = backing === undefined ? new Uint8Array(0) : backingNameBytes(backing.name);
  const needed: ExtensionContent[] = [
    ...(backing === undefined ? [] : [backingFormat(backing.format)]),
    ...(content.extensions ?? []),
  ];
  const room = 2 ** header.clusterBits - header.headerLength - name.byteLength;
  const withNames = serializeExtensions([...needed, featureNameTable()]);
  const hasNames = header.version === 3 && withNames.byteLength <= room;
  const extensions = hasNames ? withNames : serializeExtensions(needed);
  if (extensions.byteLength > room) {
    throw new Qcow2Error({
      code: "QCOW2_INVALID_ARGUMENT",
      message: `header, extensions and a backing name of ${name.byteLength} bytes do not fit a cluster of ${2 ** header.clusterBits} bytes`,
      structure: "header",
      hint: "choose larger clusters or a shorter name",
    });
  }
  const nameOffset = header.headerLength + extensions.byteLength;
  const bytes = new Uint8Array(nameOffset + name.byteLength);
  bytes.set(
    serializeHeader({
      ...header,
      backingFileOffset: name.byteLength === 0 ? 0 : nameOffset,
      backingFileSize: name.byteLength,
    }),
  );
  bytes.set(extensions, header.headerLength);
  bytes.set(name, nameOffset);
  return bytes;
}

/**
 * The bytes of a backing name that can be stored.
 *
 * @throws {@link Qcow2Error} `QCOW2_INVALID_ARGUMENT`.
 */
export function backingNameBytes(name: Uint8Array | string): Uint8Array {
  const bytes = toNameBytes(name);
  const { maxBackingNameBytes } = formatLimits;
  if (bytes.byteLength > 0 && bytes.byteLength <= maxBackingNameBytes && !bytes.includes(0)) {
    return bytes;
  }
  throw new Qcow2Error({
    code: "QCOW2_INVALID_ARGUMENT",
    message: `a backing name has 1 to ${maxBackingNameBytes} bytes without NUL, this one has ${bytes.byteLength}`,
    structure: "backing name",
    details: { nameBytes: bytes.byteLength },
  });
}

/** The extension that states a backing file's format. Errors as {@link backingNameBytes}. */
export function backingFormat(format: string): ExtensionContent {
  const data = toNameBytes(format);
  if (data.byteLength === 0 || data.byteLength > formatLimits.maxBackingFormatBytes) {
    throw new Qcow2Error({
      code: "QCOW2_INVALID_ARGUMENT",
      message: `a backing format has 1 to ${formatLimits.maxBackingFormatBytes} bytes, this one has ${data.byteLength}`,
      structure: "extension",
    });
  }
  return { type: extensionTypes.backingFormat, data };
}
