import type { QemuCheck } from "../support/qemu.ts";
import { isCounted, type OurVerdict, theirVerdict } from "./verdict.ts";

/** A kind of difference to QEMU that is on purpose; each has its paragraph in `docs/spec/qcow2.md`. */
export interface DifferenceRule {
  /** Its name. */
  readonly name: string;
  /** Whether it explains a difference. */
  explains(ours: OurVerdict, theirs: QemuCheck): boolean;
}

/** Every difference that is on purpose. The first one that fits counts. */
export const differenceRules: readonly DifferenceRule[] = [
  {
    name: "other-file",
    explains: ({ verdict }, { messages }) =>
      verdict !== "refused" && /Could not open backing file|Could not open '[^m]/.test(messages),
  },
  {
    name: "data-file-name",
    explains: ({ verdict }, { messages }) =>
      verdict !== "refused" &&
      /'data-file' is required|'file' block driver requires a file name/.test(messages),
  },
  {
    name: "encrypted",
    explains: ({ report }, theirs) =>
      report !== undefined && report.info.encryption !== "none" && isRefused(theirs),
  },
  {
    name: "bitmap-extra-data",
    explains: ({ verdict }, theirs) =>
      verdict !== "refused" &&
      isRefused(theirs) &&
      /Bitmap extra data is not supported|doesn't satisfy the constraints/.test(theirs.messages),
  },
  {
    name: "bitmap-size",
    explains: ({ verdict }, theirs) =>
      verdict !== "refused" && isRefused(theirs) && /Could not read bitmap '/.test(theirs.messages),
  },
  {
    name: "bitmap-damage",
    explains: ({ report }, { messages, json }) =>
      json === undefined &&
      /[Bb]itmap/.test(messages) &&
      report?.findings.some(({ structure }) => structure.startsWith("bitmap")) === true,
  },
  {
    name: "backing-name",
    explains: ({ error }) => error?.code === "QCOW2_BACKING_NAME_INVALID",
  },
  {
    name: "cut-header",
    explains: ({ error }) =>
      error?.code === "QCOW2_TRUNCATED" &&
      ["header", "extension", "backing name"].includes(error.structure ?? ""),
  },
  {
    name: "endless",
    explains: ({ verdict }, { status }) => verdict === "corrupt" && status === null,
  },
  {
    name: "far-offset",
    explains: ({ report }, { json, messages }) =>
      json === undefined &&
      /Check failed: Input\/output error/.test(messages) &&
      report?.findings.some(({ code }) => code === "QCOW2_OUT_OF_FILE") === true,
  },
  {
    name: "cut-snapshot-table",
    explains: ({ report }) =>
      report?.isComplete === false &&
      report.findings.some(
        ({ code, structure }) => code === "QCOW2_TRUNCATED" && structure === "snapshot table",
      ),
  },
  {
    name: "cut-bitmap-directory",
    explains: ({ report }) =>
      report?.isComplete === false &&
      report.findings.some(
        ({ code, structure }) => code === "QCOW2_OUT_OF_FILE" && structure === "bitmap directory",
      ),
  },
  { name: "cut-structure", explains: onlyFinds("QCOW2_OUT_OF_FILE", "QCOW2_TRUNCATED") },
  { name: "marked-corrupt", explains: onlyFinds("QCOW2_MARKED_CORRUPT") },
  { name: "zero-flag", explains: onlyFinds("QCOW2_RESERVED_BITS") },
  { name: "overlap", explains: onlyFinds("QCOW2_OVERLAP") },
];

/** A difference between two checks of the same image, in words; `undefined` when they agree. */
export function differenceOf(ours: OurVerdict, theirs: QemuCheck): string | undefined {
  const their = theirVerdict(theirs);
  const isSound = ours.verdict === "clean" || ours.verdict === "leaks";
  const theyAreSound = their === "clean" || their === "leaks";
  if (isSound !== theyAreSound || (isSound && ours.verdict !== their)) {
    return `we say ${ours.verdict}, QEMU says ${their}`;
  }
  if (isCounted(ours) !== (theirs.json !== undefined)) {
    return `opening: we say ${ours.verdict}, QEMU says ${their}`;
  }
  if (ours.json === undefined || theirs.json === undefined) return undefined;
  const different = Object.keys({ ...ours.json, ...theirs.json }).filter(
    (key) => ours.json?.[key] !== theirs.json?.[key],
  );
  if (different.length === 0) return undefined;
  const shown = different.map((key) => `${key} ${ours.json?.[key]} and ${theirs.json?.[key]}`);
  return `counters differ: ${shown.join(", ")}`;
}

/** Ours alone is stricter: QEMU finds nothing wrong, we find only what one of these codes says. */
function onlyFinds(...codes: readonly string[]): DifferenceRule["explains"] {
  return ({ report, error }, theirs) => {
    const their = theirVerdict(theirs);
    if (their !== "clean" && their !== "leaks") return false;
    if (error !== undefined) return codes.includes(error.code);
    const errors = report?.findings.filter(({ severity }) => severity === "error") ?? [];
    return errors.length > 0 && errors.every(({ code }) => codes.includes(code));
  };
}

function isRefused(theirs: QemuCheck): boolean {
  return theirVerdict(theirs) === "refused";
}
