import * as z from "zod";
import { type ExecInput, execShape } from "../../machines/exec-input.ts";
import type { ProgramInput } from "../../machines/program-input.ts";
import { programShape } from "../../machines/program-shape.ts";

/** What `box run` takes. */
export interface RunInput extends ExecInput, ProgramInput {
  /** The image. */
  readonly ref: string;
  /** The program and its arguments; those of the image unless given. */
  readonly command?: readonly string[] | undefined;
  /** The box's name. */
  readonly name?: string | undefined;
  /** Whether it is left running. */
  readonly detach?: boolean | undefined;
  /** Whether its machine boots also where it could go on from a template. */
  readonly cold?: boolean | undefined;
  /** Whether the box goes away when it has stopped. */
  readonly rm?: boolean | undefined;
  /** In MiB, or with a unit. */
  readonly memory?: string | undefined;
  readonly cpus?: string | undefined;
  /** A reference, or `none`. */
  readonly guestRootfs?: string | undefined;
  /** Forwarded ports, such as `8080:80`. */
  readonly publish?: readonly string[] | undefined;
  /** Whether it has a network card. */
  readonly net?: boolean | undefined;
  /** Folders of this host, which no box can have. */
  readonly volume?: readonly string[] | undefined;
  /** Such as `10GiB`. */
  readonly diskSize?: string | undefined;
  /** When the registry is asked. */
  readonly pull?: "missing" | "always" | "never" | undefined;
}

const optionalText = z.string().min(1).optional();
const number = z
  .string()
  .regex(/^[1-9]\d{0,6}$/, "must be a number")
  .optional();

/** The schema of {@link RunInput}. */
export const input: z.ZodType<RunInput> = z.strictObject({
  ...execShape,
  ...programShape,
  ref: z.string().min(1),
  command: z.array(z.string()).optional(),
  name: optionalText,
  detach: z.boolean().optional(),
  cold: z.boolean().optional(),
  rm: z.boolean().optional(),
  memory: optionalText,
  cpus: number,
  guestRootfs: optionalText,
  diskSize: z.string().optional(),
  publish: z.array(z.string().min(1)).optional(),
  net: z.boolean().optional(),
  volume: z.array(z.string()).optional(),
  pull: z.enum(["missing", "always", "never"]).optional(),
});

/** What `box run` prints. */
export interface RunOutput {
  /** The box. */
  readonly name: string;
  /** How the command ended, unless it was left running. */
  readonly exitCode?: number | undefined;
  readonly signal?: string | undefined;
}

/** The schema of {@link RunOutput}. */
export const output: z.ZodType<RunOutput> = z.strictObject({
  name: z.string(),
  exitCode: z.int().optional(),
  signal: z.string().optional(),
});
