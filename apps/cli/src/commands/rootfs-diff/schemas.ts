import * as z from "zod";
import type { RootfsInput } from "../../rootfs/open-rootfs.ts";

/** What `box rootfs diff` takes. */
export interface RootfsDiffInput extends RootfsInput {
  /** A disk. */
  readonly a: string;
  /** Another one. */
  readonly b: string;
}

/** The schema of {@link RootfsDiffInput}. */
export const input: z.ZodType<RootfsDiffInput> = z.strictObject({
  a: z.string().min(1),
  b: z.string().min(1),
  inputFormat: z.enum(["ext4", "qcow2"]).optional(),
  allow: z.array(z.string().min(1)).optional(),
});

/** One difference of two file systems. */
export interface RootfsDifference {
  /** The path; bytes that are no text as `\xNN`. */
  readonly path: string;
  /** Whether only B has it, only A has it, or both have it in different ways. */
  readonly change: "added" | "removed" | "modified";
  /** What differs, of what both have. */
  readonly what?: readonly string[] | undefined;
}

/** The schema of what `box rootfs diff` prints: differences in the order of their paths. */
export const output: z.ZodType<readonly RootfsDifference[]> = z.array(
  z.strictObject({
    path: z.string(),
    change: z.enum(["added", "removed", "modified"]),
    what: z.array(z.string()).optional(),
  }),
);
