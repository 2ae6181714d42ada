import { isProtocolLike, toDisplayText } from "../bytes/text.ts";
import type { BackingInfo, DataFileInfo, ImageInfo } from "../inspect/image-info.ts";

/** A reason not to trust an image from a stranger. */
export type SafetyViolationCode =
  | "backing-file"
  | "backing-name-protocol"
  | "backing-name-not-utf-8"
  | "backing-name-control-characters"
  | "backing-name-in-header"
  | "backing-format-missing"
  | "data-file"
  | "data-file-name-missing"
  | "data-file-name-protocol"
  | "data-file-name-not-utf-8"
  | "data-file-name-control-characters"
  | "unknown-incompatible-feature"
  | "dirty"
  | "marked-corrupt"
  | "encrypted"
  | "internal-snapshots"
  | "stale-bitmaps"
  | "unusual-header-length"
  | "virtual-size-over-limit";

/** One reason, with words for a person. */
export interface SafetyViolation {
  /** Which reason. */
  readonly code: SafetyViolationCode;
  /** One lower-case sentence. */
  readonly message: string;
}

/** What a caller tolerates. */
export interface SafetyCheckOptions {
  /** Largest virtual disk in bytes that is fine; any unless given. */
  readonly maxVirtualSizeBytes?: number | bigint;
}

/**
 * Lists every reason not to trust an image, from its header alone: files that it names, features that are not known,
 * damage that it admits. An empty list does not say that the tables are sound; `checkStructure` does.
 */
export function safetyCheck(info: ImageInfo, options: SafetyCheckOptions = {}): SafetyViolation[] {
  const found: SafetyViolation[] = [];
  const add = (code: SafetyViolationCode, message: string) => found.push({ code, message });
  if (info.backing) found.push(...backingViolations(info.backing, info));
  if (info.dataFile) found.push(...dataFileViolations(info.dataFile));
  for (const { bit, name } of info.features.unknownIncompatible) {
    const feature = name === "" ? `${bit}` : `${bit} (${name})`;
    add(
      "unknown-incompatible-feature",
      `it needs the incompatible feature ${feature}, which is not known`,
    );
  }
  if (info.isDirty) add("dirty", "it was not closed, so its refcounts may be wrong");
  if (info.isMarkedCorrupt) add("marked-corrupt", "a writer found damage in it");
  if (info.encryption !== "none") add("encrypted", `it is encrypted with ${info.encryption}`);
  if (info.snapshots.entries > 0) {
    add("internal-snapshots", `it holds ${info.snapshots.entries} snapshots with older content`);
  }
  if (info.hasStaleBitmaps) add("stale-bitmaps", "it holds bitmaps that are out of date");
  if (info.headerLengthBytes % 8 !== 0) {
    add(
      "unusual-header-length",
      `its header has ${info.headerLengthBytes} bytes, not a multiple of 8`,
    );
  }
  const { maxVirtualSizeBytes } = options;
  if (maxVirtualSizeBytes !== undefined && info.virtualSizeBytes > BigInt(maxVirtualSizeBytes)) {
    add(
      "virtual-size-over-limit",
      `its disk has ${info.virtualSizeBytes} bytes, more than ${maxVirtualSizeBytes}`,
    );
  }
  return found;
}

function backingViolations(backing: BackingInfo, info: ImageInfo): SafetyViolation[] {
  const found: SafetyViolation[] = [
    { code: "backing-file", message: `it reads from the backing file ${backing.displayName}` },
  ];
  const add = (code: SafetyViolationCode, message: string) => found.push({ code, message });
  for (const { code, message } of nameViolations(backing.nameBytes, backing.name)) {
    add(`backing-name-${code}`, `the backing name ${message}`);
  }
  if (backing.nameOffset < info.headerLengthBytes) {
    add("backing-name-in-header", "the backing name overlaps the header's fields");
  }
  if (backing.format === undefined) {
    add(
      "backing-format-missing",
      "it does not state the backing format, so that QEMU would guess it",
    );
  }
  return found;
}

function dataFileViolations({ nameBytes, name }: DataFileInfo): SafetyViolation[] {
  const found: SafetyViolation[] = [
    { code: "data-file", message: "its data is in another file, which it names" },
  ];
  if (!nameBytes?.byteLength) {
    return [...found, { code: "data-file-name-missing", message: "it does not name that file" }];
  }
  for (const { code, message } of nameViolations(nameBytes, name)) {
    found.push({ code: `data-file-name-${code}`, message: `the name of its data file ${message}` });
  }
  return found;
}

interface NameViolation {
  readonly code: "protocol" | "not-utf-8" | "control-characters";
  readonly message: string;
}

/** What is wrong with a stored name, by itself. */
function nameViolations(bytes: Uint8Array, name: string | undefined): NameViolation[] {
  const displayName = toDisplayText(bytes);
  const found: NameViolation[] = [];
  if (name === undefined) found.push({ code: "not-utf-8", message: "is not UTF-8" });
  if (isProtocolLike(displayName)) {
    found.push({ code: "protocol", message: "is one that QEMU takes for a protocol, not a file" });
  }
  if (name !== undefined && name !== displayName) {
    found.push({ code: "control-characters", message: "holds control characters" });
  }
  return found;
}
