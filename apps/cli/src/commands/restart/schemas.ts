import * as z from "zod";

export { output, type StartOutput } from "../start/schemas.ts";

/** What `box restart` takes. */
export interface RestartInput {
  /** The box. */
  readonly name: string;
  /** Whether its machine boots also where it could go on from a template. */
  readonly cold?: boolean | undefined;
  /** How long its guest may take to end. */
  readonly grace?: string | undefined;
}

/** The schema of {@link RestartInput}. */
export const input: z.ZodType<RestartInput> = z.strictObject({
  name: z.string().min(1),
  cold: z.boolean().optional(),
  grace: z.string().optional(),
});
