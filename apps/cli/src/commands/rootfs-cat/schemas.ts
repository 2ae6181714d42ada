import * as z from "zod";
import type { RootfsInput } from "../../rootfs/open-rootfs.ts";

/** What `box rootfs cat` takes. */
export interface RootfsCatInput extends RootfsInput {
  /** The disk. */
  readonly file: string;
  /** A path in it. */
  readonly path: string;
}

/** The schema of {@link RootfsCatInput}. */
export const input: z.ZodType<RootfsCatInput> = z.strictObject({
  file: z.string().min(1),
  path: z.string().min(1),
  inputFormat: z.enum(["ext4", "qcow2"]).optional(),
  allow: z.array(z.string().min(1)).optional(),
});

/** The schema of what `box rootfs cat` prints: nothing but the file's bytes. */
export const output: z.ZodType<undefined> = z.undefined();
