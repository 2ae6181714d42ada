import * as z from "zod";

/** What `box registry serve` takes. */
export interface RegistryServeInput {
  /** `HOST:PORT`. */
  readonly listen?: string | undefined;
  /** Where content is kept. */
  readonly dir?: string | undefined;
  /** How often garbage is collected. */
  readonly gcEvery?: string | undefined;
  /** A file of `NAME:PASSWORD` lines. */
  readonly users?: string | undefined;
  /** How users prove who they are. */
  readonly auth?: "basic" | "token" | undefined;
  /** Whether everybody may read. */
  readonly anonymousPull?: boolean | undefined;
  /** A certificate in PEM. */
  readonly tlsCert?: string | undefined;
  /** Its key in PEM. */
  readonly tlsKey?: string | undefined;
  /** The URL under which others reach it. */
  readonly publicUrl?: string | undefined;
}

/** The schema of {@link RegistryServeInput}. */
export const input: z.ZodType<RegistryServeInput> = z.strictObject({
  listen: z.string().min(1).optional(),
  dir: z.string().min(1).optional(),
  gcEvery: z.string().min(1).optional(),
  users: z.string().min(1).optional(),
  auth: z.enum(["basic", "token"]).optional(),
  anonymousPull: z.boolean().optional(),
  tlsCert: z.string().min(1).optional(),
  tlsKey: z.string().min(1).optional(),
  publicUrl: z.string().min(1).optional(),
});

/** What `box registry serve` prints once it listens. */
export interface RegistryServeOutput {
  /** Its URL. */
  readonly url: string;
  /** Its host, as references name it. */
  readonly host: string;
  /** The process. */
  readonly pid: number;
}

/** The schema of {@link RegistryServeOutput}. */
export const output: z.ZodType<RegistryServeOutput> = z.strictObject({
  url: z.string(),
  host: z.string(),
  pid: z.int(),
});
