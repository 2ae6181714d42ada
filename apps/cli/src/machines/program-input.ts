import type { CreateBoxOptions } from "@box/runtime";
import { parseSignal } from "./parse-signal.ts";

/** What a command line says about the program of a box that its image says otherwise. */
export interface ProgramInput {
  /** Empty for none. */
  readonly entrypoint?: string | undefined;
  readonly groupAdd?: readonly string[] | undefined;
  readonly hostname?: string | undefined;
  readonly stopSignal?: string | undefined;
}

/** As settings of a box. @throws CliError `CLI_INVALID_ARGUMENT` when there is no such signal. */
export function programSettings({
  entrypoint,
  groupAdd,
  hostname,
  stopSignal,
}: ProgramInput): NonNullable<CreateBoxOptions["run"]> {
  return {
    ...(entrypoint === undefined ? {} : { entrypoint: entrypoint === "" ? [] : [entrypoint] }),
    ...(groupAdd === undefined ? {} : { groups: groupAdd }),
    ...(hostname === undefined ? {} : { hostname }),
    ...(stopSignal === undefined ? {} : { stopSignal: parseSignal(stopSignal) }),
  };
}
