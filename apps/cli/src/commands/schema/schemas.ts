import * as z from "zod";

/** What `box schema` takes. */
export interface SchemaInput {
  /** The words of a command. */
  readonly command: string[];
}

/** The schema of {@link SchemaInput}. */
export const input: z.ZodType<SchemaInput> = z.strictObject({
  command: z.array(z.string()).min(1),
});

/** What `box schema` prints. */
export interface SchemaOutput {
  /** The command. */
  readonly command: string;
  /** JSON schema of its arguments and flags, by camel-case name. */
  readonly input: Record<string, unknown>;
  /** JSON schema of what it prints with `--format json`. */
  readonly output: Record<string, unknown>;
}

/** The schema of {@link SchemaOutput}. */
export const output: z.ZodType<SchemaOutput> = z.strictObject({
  command: z.string(),
  input: z.record(z.string(), z.unknown()),
  output: z.record(z.string(), z.unknown()),
});
