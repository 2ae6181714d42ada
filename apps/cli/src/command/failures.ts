import { type ErrorKind, kindOutcomes } from "@box/errors";
import { type CommandSpec, commandName } from "./define-command.ts";

/** How opening a home can fail, whatever the command then does. */
export const homeFailures: readonly ErrorKind[] = [
  "invalid-argument",
  "denied",
  "corrupt",
  "unsupported",
  "in-use",
  "io",
  "no-space",
  "read-only",
];

/** Groups and commands that work without a home. */
const homeless: readonly string[] = [
  "doctor",
  "setup",
  "rootfs inspect",
  "rootfs ls",
  "rootfs cat",
  "rootfs diff",
  "login",
  "logout",
  "artifact",
  "registry",
  "disk",
  "explain",
  "schema",
  "completion",
  "version",
  "help",
  "complete-words",
];

/** Whether a command opens the home. */
export function opensHome(spec: Pick<CommandSpec, "path">): boolean {
  const name = commandName(spec);
  return !homeless.some((each) => name === each || name.startsWith(`${each} `));
}

/** The exit codes of a command's failures in ascending order, those of opening its home among them. */
export function failureExitCodes(spec: Pick<CommandSpec, "path" | "failures">): readonly number[] {
  const kinds = [...spec.failures, ...(opensHome(spec) ? homeFailures : [])];
  const codes = new Set(kinds.map((kind) => kindOutcomes[kind].exitCode));
  return [...codes].sort((a, b) => a - b);
}
