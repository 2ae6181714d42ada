import * as z from "zod";

/** What `box kill` takes. */
export interface KillInput {
  /** The box. */
  readonly name: string;
  /** Such as `HUP`, `SIGHUP` or `1`. */
  readonly signal?: string | undefined;
}

/** The schema of {@link KillInput}. */
export const input: z.ZodType<KillInput> = z.strictObject({
  name: z.string().min(1),
  signal: z.string().min(1).optional(),
});

/** What `box kill` prints. */
export interface KillOutput {
  /** The box. */
  readonly name: string;
  /** What got the signal. */
  readonly reached: "program" | "machine";
  /** Where the box is in its life now. */
  readonly state: string;
}

/** The schema of {@link KillOutput}. */
export const output: z.ZodType<KillOutput> = z.strictObject({
  name: z.string(),
  reached: z.enum(["program", "machine"]),
  state: z.string(),
});
