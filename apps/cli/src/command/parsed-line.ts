import type { CommandSpec } from "./define-command.ts";
import type { GlobalOptions } from "./global-values.ts";

/** What a command line asks for. */
export type ParsedCommandLine =
  | { readonly type: "text"; readonly text: string }
  | {
      readonly type: "command";
      readonly spec: CommandSpec;
      /** Words and flags by schema key, unchecked. Flags that were not given are absent. */
      readonly input: Readonly<Record<string, unknown>>;
      readonly globals: GlobalOptions;
    };
