import { toDisplayText } from "../bytes/text.ts";
import { type FeatureName, featureKinds } from "../header/features.ts";
import { featureNameEntryBytes } from "./layout.ts";
import type { HeaderExtension } from "./parse.ts";

/**
 * Parses the feature name table. Entries of unknown kinds and a cut last entry are left out; names are made safe to show.
 *
 * @see qcow2 specification, "Feature name table"
 */
export function parseFeatureNames(extension: HeaderExtension | undefined): FeatureName[] {
  const data = extension?.data ?? new Uint8Array(0);
  const names: FeatureName[] = [];
  for (let at = 0; at + featureNameEntryBytes <= data.byteLength; at += featureNameEntryBytes) {
    const entry = data.subarray(at, at + featureNameEntryBytes);
    const kind = featureKinds[entry[0] as number];
    const bit = entry[1] as number;
    const name = entry.subarray(2);
    const end = name.indexOf(0);
    if (kind === undefined || bit > 63) continue;
    names.push({ kind, bit, name: toDisplayText(end < 0 ? name : name.subarray(0, end)) });
  }
  return names;
}
