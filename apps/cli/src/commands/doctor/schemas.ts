import * as z from "zod";

/** What `box doctor` takes: nothing. */
export type DoctorInput = Readonly<Record<string, never>>;

/** The schema of {@link DoctorInput}. */
export const input: z.ZodType<DoctorInput> = z.strictObject({});

/** What `box doctor` found. */
export interface DoctorOutput {
  /** Whether boxes can be started here. */
  readonly canStart: boolean;
  /** What was looked at. */
  readonly findings: readonly {
    readonly name: string;
    readonly isGood: boolean;
    /** What was found. */
    readonly found: string;
    /** What to do. */
    readonly hint?: string | undefined;
  }[];
}

/** The schema of {@link DoctorOutput}. */
export const output: z.ZodType<DoctorOutput> = z.strictObject({
  canStart: z.boolean(),
  findings: z.array(
    z.strictObject({
      name: z.string(),
      isGood: z.boolean(),
      found: z.string(),
      hint: z.string().optional(),
    }),
  ),
});
