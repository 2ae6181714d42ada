import * as z from "zod";
import type { ProgramInput } from "./program-input.ts";

/** The shape of {@link ProgramInput} in a schema. */
export const programShape: {
  readonly [Name in keyof Required<ProgramInput>]: z.ZodType<ProgramInput[Name]>;
} = {
  entrypoint: z.string().optional(),
  groupAdd: z.array(z.string().min(1)).optional(),
  hostname: z.string().min(1).optional(),
  stopSignal: z.string().min(1).optional(),
};
