import * as z from "zod";

/** What `box start` takes. */
export interface StartInput {
  /** The box. */
  readonly name: string;
  /** Whether its machine boots also where it could go on from a template. */
  readonly cold?: boolean | undefined;
  /** Gives the box's data up where the rules would refuse. */
  readonly recreateDisk?: boolean | undefined;
}

/** The schema of {@link StartInput}. */
export const input: z.ZodType<StartInput> = z.strictObject({
  name: z.string().min(1),
  cold: z.boolean().optional(),
  recreateDisk: z.boolean().optional(),
});

/** What `box start` and `box restart` print. */
export interface StartOutput {
  /** The box. */
  readonly name: string;
  /** Whether it was started, or ran already. */
  readonly outcome: "started" | "attached";
  /** The process of its machine. */
  readonly pid: number;
  /** Id of the operation. */
  readonly operation: string;
}

/** The schema of {@link StartOutput}. */
export const output: z.ZodType<StartOutput> = z.strictObject({
  name: z.string(),
  outcome: z.enum(["started", "attached"]),
  pid: z.int(),
  operation: z.string(),
});
