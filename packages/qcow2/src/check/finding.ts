import { Qcow2Error, type Qcow2ErrorCode, type Qcow2Structure } from "../errors.ts";

/** One thing that a check found. */
export interface Finding {
  /** `error` when data is or may be lost, `leak` when only space is. */
  readonly severity: "error" | "leak";
  /** Which rule is broken: a code of {@link Qcow2Error}, or `QCOW2_LEAK`. */
  readonly code: Qcow2ErrorCode | "QCOW2_LEAK";
  /** Where in the image file, in bytes. */
  readonly offset: number;
  /** Which part of the image. */
  readonly structure: Qcow2Structure;
  /** One lower-case sentence for a person. */
  readonly message: string;
}

/** Takes what a check finds; it may throw to end the check. */
export interface FindingSink {
  /**
   * Takes one broken rule.
   *
   * @param corruptions - How often `qemu-img check` counts it; 0 for rules that it does not know.
   */
  error(finding: Finding, corruptions: number): void;
  /** Takes a number of leaked clusters that start at a byte. */
  leak(offset: number, clusters: number): void;
}

/** The error for a finding of severity `error`. */
export function toError(finding: Finding): Qcow2Error {
  if (finding.code === "QCOW2_LEAK") throw new Error("a leak is not an error");
  return new Qcow2Error({
    code: finding.code,
    message: finding.message,
    offset: finding.offset,
    structure: finding.structure,
  });
}

/** What is wrong and where: a finding before its severity is known. */
export interface Problem {
  /** Which rule is broken. */
  readonly code: Qcow2ErrorCode;
  /** Which part of the image. */
  readonly structure: Qcow2Structure;
  /** Where in the image file, in bytes. */
  readonly offset: number;
  /** One lower-case sentence for a person. */
  readonly message: string;
}

/** Hands over an error finding. */
export function reportError(sink: FindingSink, problem: Problem, corruptions: number): void {
  sink.error({ severity: "error", ...problem }, corruptions);
}
