import * as z from "zod";
import { boxDetails } from "../../boxes/box-schemas.ts";
import type { PreparedOutput } from "../create/schemas.ts";

/** What `box unpack` takes. */
export interface UnpackInput {
  /** The archive. */
  readonly file: string;
  /** Name of the box. */
  readonly name?: string | undefined;
  /** Forwarded ports, such as `8080:80`. */
  readonly publish?: readonly string[] | undefined;
  /** Whether it has a network card. */
  readonly net?: boolean | undefined;
}

/** The schema of {@link UnpackInput}. */
export const input: z.ZodType<UnpackInput> = z.strictObject({
  file: z.string().min(1),
  name: z.string().min(1).optional(),
  publish: z.array(z.string().min(1)).optional(),
  net: z.boolean().optional(),
});

/** The schema of what `box unpack` prints. */
export const output: z.ZodType<PreparedOutput> = z.strictObject({
  box: boxDetails,
  operation: z.string(),
});
