import * as z from "zod";

export { output, type PreparedOutput } from "../create/schemas.ts";

/** What `box prepare` takes. */
export interface PrepareInput {
  /** The box. */
  readonly name: string;
  /** Gives the box's data up where the rules would refuse. */
  readonly recreateDisk?: boolean | undefined;
}

/** The schema of {@link PrepareInput}. */
export const input: z.ZodType<PrepareInput> = z.strictObject({
  name: z.string().min(1),
  recreateDisk: z.boolean().optional(),
});
