import type { EndedBox } from "@box/runtime";
import * as z from "zod";

/** What `box wait` takes. */
export interface WaitInput {
  /** The box. */
  readonly name: string;
}

/** The schema of {@link WaitInput}. */
export const input: z.ZodType<WaitInput> = z.strictObject({ name: z.string().min(1) });

/** The schema of what `box wait` prints. */
export const output: z.ZodType<EndedBox> = z.strictObject({
  id: z.string(),
  name: z.string(),
  exit: z.looseObject({ reason: z.string(), exitCode: z.int().optional() }),
}) as unknown as z.ZodType<EndedBox>;
