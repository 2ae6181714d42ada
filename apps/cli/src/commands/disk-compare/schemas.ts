import * as z from "zod";

/** What `box disk compare` takes. */
export interface DiskCompareInput {
  /** One disk. */
  readonly a: string;
  /** The other one. */
  readonly b: string;
  /** Format of the first one. */
  readonly inputFormat?: "qcow2" | "raw" | undefined;
  /** Format of the second one. */
  readonly secondFormat?: "qcow2" | "raw" | undefined;
  /** Whether sizes and allocation count too. */
  readonly strict?: boolean | undefined;
  /** Folders of backing and data files. */
  readonly allow?: readonly string[] | undefined;
  /** Holds the passphrase. */
  readonly passphraseFile?: string | undefined;
}

/** The schema of {@link DiskCompareInput}. */
export const input: z.ZodType<DiskCompareInput> = z.strictObject({
  a: z.string().min(1),
  b: z.string().min(1),
  inputFormat: z.enum(["qcow2", "raw"]).optional(),
  secondFormat: z.enum(["qcow2", "raw"]).optional(),
  strict: z.boolean().optional(),
  allow: z.array(z.string().min(1)).optional(),
  passphraseFile: z.string().min(1).optional(),
});

/** What `box disk compare` prints. */
export interface DiskCompareOutput {
  /** One disk, as it was given. */
  readonly a: string;
  /** The other one. */
  readonly b: string;
  /** Whether nothing differs that counts. */
  readonly isIdentical: boolean;
  /** Whether the disks are of one size. */
  readonly hasSameSize: boolean;
  /** What differs first. */
  readonly difference?: "size" | "allocation" | "content" | undefined;
  /** First byte that differs; absent for the size. */
  readonly offset?: number | undefined;
}

/** The schema of {@link DiskCompareOutput}. */
export const output: z.ZodType<DiskCompareOutput> = z.strictObject({
  a: z.string(),
  b: z.string(),
  isIdentical: z.boolean(),
  hasSameSize: z.boolean(),
  difference: z.enum(["size", "allocation", "content"]).optional(),
  offset: z.int().optional(),
});
