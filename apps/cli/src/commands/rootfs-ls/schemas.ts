import * as z from "zod";
import type { RootfsInput } from "../../rootfs/open-rootfs.ts";
import { type RootfsEntry, rootfsEntry } from "../../rootfs/rootfs-entry.ts";

/** What `box rootfs ls` takes. */
export interface RootfsLsInput extends RootfsInput {
  /** The disk. */
  readonly file: string;
  /** A path in it. */
  readonly path?: string | undefined;
  /** Whether what is below is listed too. */
  readonly recursive?: boolean | undefined;
}

/** The schema of {@link RootfsLsInput}. */
export const input: z.ZodType<RootfsLsInput> = z.strictObject({
  file: z.string().min(1),
  path: z.string().optional(),
  recursive: z.boolean().optional(),
  inputFormat: z.enum(["ext4", "qcow2"]).optional(),
  allow: z.array(z.string().min(1)).optional(),
});

/** What `box rootfs ls` prints: files in the order of their paths. */
export const output: z.ZodType<readonly RootfsEntry[]> = z.array(rootfsEntry);
