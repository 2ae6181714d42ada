import type { RestoredBox } from "@box/runtime";
import * as z from "zod";

/** What `box rootfs restore` takes. */
export interface RootfsRestoreInput {
  /** The box. */
  readonly name: string;
}

/** The schema of {@link RootfsRestoreInput}. */
export const input: z.ZodType<RootfsRestoreInput> = z.strictObject({ name: z.string().min(1) });

/** The schema of what `box rootfs restore` prints. */
export const output: z.ZodType<RestoredBox> = z.strictObject({
  id: z.string(),
  name: z.string(),
  operation: z.string(),
  bases: z.array(
    z.strictObject({
      disk: z.enum(["user", "guest"]),
      path: z.string(),
      outcome: z.enum(["kept", "restored"]),
      found: z.enum(["missing", "not-regular", "other-size", "other-content"]).optional(),
    }),
  ),
}) as unknown as z.ZodType<RestoredBox>;
