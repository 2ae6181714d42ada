import * as z from "zod";
import { type DoctorOutput, output as doctorOutput } from "../doctor/schemas.ts";

/** What `box setup` takes. */
export interface SetupInput {
  /** Only says what would be done. */
  readonly dryRun?: boolean | undefined;
}

/** The schema of {@link SetupInput}. */
export const input: z.ZodType<SetupInput> = z.strictObject({ dryRun: z.boolean().optional() });

/** Something that was missing. */
export interface SetupStep {
  /** What it brings. */
  readonly name: string;
  /** `todo` is for somebody who may: the command says what to run. */
  readonly state: "done" | "failed" | "todo";
  /** What brings it. */
  readonly command: string;
  /** Why it failed. */
  readonly message?: string | undefined;
}

/** What `box setup` did, and how things are now. */
export interface SetupOutput {
  /** What was missing; empty when nothing was. */
  readonly steps: readonly SetupStep[];
  /** What `box doctor` finds after it. */
  readonly doctor: DoctorOutput;
}

/** The schema of {@link SetupOutput}. */
export const output: z.ZodType<SetupOutput> = z.strictObject({
  steps: z.array(
    z.strictObject({
      name: z.string(),
      state: z.enum(["done", "failed", "todo"]),
      command: z.string(),
      message: z.string().optional(),
    }),
  ),
  doctor: doctorOutput,
});
