import { Qcow2Error } from "../errors.ts";
import { type FindingSink, reportError } from "./finding.ts";

/** Runs a parser; what it throws as corrupt becomes a finding. Other errors pass. */
export async function toErrorFinding<Value>(
  sink: FindingSink,
  parse: () => Value | Promise<Value>,
): Promise<Value | undefined> {
  try {
    return await parse();
  } catch (error) {
    if (!(error instanceof Qcow2Error) || error.kind !== "corrupt") throw error;
    const { code, structure = "file", offset = 0, message } = error;
    reportError(sink, { code, structure, offset, message }, 1);
    return undefined;
  }
}
