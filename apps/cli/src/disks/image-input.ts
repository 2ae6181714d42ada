import * as z from "zod";

/** Flags that say what a fresh qcow2 image is like. */
export interface ImageInput {
  /** Such as `64KiB`. */
  readonly clusterSize?: string | undefined;
  /** Width of a refcount. */
  readonly refcountBits?: "1" | "2" | "4" | "8" | "16" | "32" | "64" | undefined;
  /** Version of the format, in QEMU's words. */
  readonly compat?: "0.10" | "1.1" | undefined;
  /** Whether clusters have subclusters. */
  readonly extendedL2?: boolean | undefined;
  /** Whether refcounts may be brought up to date later. */
  readonly lazyRefcounts?: boolean | undefined;
}

/** The schemas of {@link ImageInput}'s members. */
export const imageInput: { readonly [Key in keyof ImageInput]-?: z.ZodType<ImageInput[Key]> } = {
  clusterSize: z.string().optional(),
  refcountBits: z.enum(["1", "2", "4", "8", "16", "32", "64"]).optional(),
  compat: z.enum(["0.10", "1.1"]).optional(),
  extendedL2: z.boolean().optional(),
  lazyRefcounts: z.boolean().optional(),
};
