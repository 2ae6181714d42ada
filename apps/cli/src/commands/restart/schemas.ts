import * as z from "zod";

export { output, type StartOutput } from "../start/schemas.ts";

/** What `box restart` takes. */
export interface RestartInput {
  /** The box. */
  readonly name: string;
  /** How long its guest may take to end. */
  readonly grace?: string | undefined;
}

/** The schema of {@link RestartInput}. */
export const input: z.ZodType<RestartInput> = z.strictObject({
  name: z.string().min(1),
  grace: z.string().optional(),
});
