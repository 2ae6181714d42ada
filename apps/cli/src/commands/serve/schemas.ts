import * as z from "zod";

/** What `box serve` takes. */
export interface ServeInput {
  /** `unix:///PATH` or `tcp://HOST:PORT`. */
  readonly listen?: string | undefined;
  /** A file whose first line is the API key. */
  readonly apiKeyFile?: string | undefined;
  /** How long running operations may take after the signal to stop. */
  readonly shutdownGrace?: string | undefined;
}

/** The schema of {@link ServeInput}. */
export const input: z.ZodType<ServeInput> = z.strictObject({
  listen: z.string().min(1).optional(),
  apiKeyFile: z.string().min(1).optional(),
  shutdownGrace: z.string().optional(),
});

/** What `box serve` prints once it listens. */
export interface ServeOutput {
  /** Where it listens. */
  readonly url: string;
  /** The process. */
  readonly pid: number;
}

/** The schema of {@link ServeOutput}. */
export const output: z.ZodType<ServeOutput> = z.strictObject({ url: z.string(), pid: z.int() });
