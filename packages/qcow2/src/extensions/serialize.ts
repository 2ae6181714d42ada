import { viewOf } from "../bytes/big-endian.ts";
import { toNameBytes } from "../bytes/text.ts";
import { type FeatureName, featureKinds, knownFeatures } from "../header/features.ts";
import { extensionTypes, featureNameEntryBytes } from "./layout.ts";

/** An extension to be written. */
export interface ExtensionContent {
  /** Its type number. */
  readonly type: number;
  /** Its content, without padding. */
  readonly data: Uint8Array;
}

/** Serializes extensions in the given order, each padded to 8 bytes, with the end mark. */
export function serializeExtensions(extensions: readonly ExtensionContent[]): Uint8Array {
  const sizes = extensions.map(({ data }) => 8 + Math.ceil(data.byteLength / 8) * 8);
  const bytes = new Uint8Array(sizes.reduce((sum, size) => sum + size, 8));
  const view = viewOf(bytes);
  let offset = 0;
  for (const [index, { type, data }] of extensions.entries()) {
    view.setUint32(offset, type);
    view.setUint32(offset + 4, data.byteLength);
    bytes.set(data, offset + 8);
    offset += sizes[index] as number;
  }
  return bytes;
}

/** The feature name table with every feature that this package knows. */
export function featureNameTable(
  features: readonly FeatureName[] = knownFeatures,
): ExtensionContent {
  const data = new Uint8Array(features.length * featureNameEntryBytes);
  for (const [index, { kind, bit, name }] of features.entries()) {
    const entry = data.subarray(index * featureNameEntryBytes, (index + 1) * featureNameEntryBytes);
    entry[0] = featureKinds.indexOf(kind);
    entry[1] = bit;
    entry.set(toNameBytes(name).subarray(0, featureNameEntryBytes - 2), 2);
  }
  return { type: extensionTypes.featureNames, data };
}
