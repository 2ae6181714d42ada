import { Qcow2Error } from "../errors.ts";
import type { FindingSink } from "./finding.ts";

/** Runs a parser; what it throws as corrupt becomes a finding. Other errors pass. */
export function toErrorFinding<Value>(sink: FindingSink, parse: () => Value): Value | undefined {
  try {
    return parse();
  } catch (error) {
    if (!(error instanceof Qcow2Error) || error.kind !== "corrupt") throw error;
    sink.error({
      severity: "error",
      code: error.code,
      structure: error.structure ?? "file",
      offset: error.offset ?? 0,
      message: error.message,
    });
    return undefined;
  }
}
