import type { ExecExit } from "@box/vm";
import * as z from "zod";
import { type ExecInput, execShape } from "../../machines/exec-input.ts";

/** What `box exec` takes. */
export interface BoxExecInput extends ExecInput {
  /** The box. */
  readonly name: string;
  /** The program and its arguments. */
  readonly command: readonly string[];
}

/** The schema of {@link BoxExecInput}. */
export const input: z.ZodType<BoxExecInput> = z.strictObject({
  ...execShape,
  name: z.string().min(1),
  command: z.array(z.string()).min(1),
});

/** The schema of what `box exec` prints with `--format json`, after what the command has printed. */
export const output: z.ZodType<ExecExit> = z.strictObject({
  exitCode: z.int(),
  signal: z.string().optional(),
}) as z.ZodType<ExecExit>;
