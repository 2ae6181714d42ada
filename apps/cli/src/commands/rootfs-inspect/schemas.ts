import * as z from "zod";
import type { RootfsInput } from "../../rootfs/open-rootfs.ts";

/** What `box rootfs inspect` takes. */
export interface RootfsInspectInput extends RootfsInput {
  /** The disk. */
  readonly file: string;
}

/** The schema of {@link RootfsInspectInput}. */
export const input: z.ZodType<RootfsInspectInput> = z.strictObject({
  file: z.string().min(1),
  inputFormat: z.enum(["ext4", "qcow2"]).optional(),
  allow: z.array(z.string().min(1)).optional(),
});

/** What `box rootfs inspect` prints. */
export interface RootfsInspectOutput {
  /** The disk as it was given. */
  readonly file: string;
  /** Size of the file system. */
  readonly sizeBytes: number;
  /** Free space in it. */
  readonly freeBytes: number;
  /** Size of a block. */
  readonly blockBytes: number;
  /** Inodes in use, reserved ones included. */
  readonly usedInodes: number;
  /** Inodes in all. */
  readonly inodeCount: number;
  /** The file system's identity. */
  readonly uuid: string;
  /** The volume's name. */
  readonly label: string;
  /** Names of its features; bits without a name as numbers. */
  readonly features: readonly string[];
}

/** The schema of {@link RootfsInspectOutput}. */
export const output: z.ZodType<RootfsInspectOutput> = z.strictObject({
  file: z.string(),
  sizeBytes: z.int(),
  freeBytes: z.int(),
  blockBytes: z.int(),
  usedInodes: z.int(),
  inodeCount: z.int(),
  uuid: z.string(),
  label: z.string(),
  features: z.array(z.string()),
});
