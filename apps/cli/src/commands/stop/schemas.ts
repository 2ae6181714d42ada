import * as z from "zod";

/** What `box stop` takes. */
export interface StopInput {
  /** The box. */
  readonly name: string;
  /** How long its guest may take to end. */
  readonly grace?: string | undefined;
}

/** The schema of {@link StopInput}. */
export const input: z.ZodType<StopInput> = z.strictObject({
  name: z.string().min(1),
  grace: z.string().optional(),
});

/** What `box stop` prints. */
export interface StopOutput {
  /** The box. */
  readonly name: string;
  /** By which step its machine ended. */
  readonly step: "already" | "guest" | "terminated" | "killed";
  /** Id of the operation. */
  readonly operation: string;
}

/** The schema of {@link StopOutput}. */
export const output: z.ZodType<StopOutput> = z.strictObject({
  name: z.string(),
  step: z.enum(["already", "guest", "terminated", "killed"]),
  operation: z.string(),
});
