import * as z from "zod";

/** What `box disk rebase` takes. */
export interface DiskRebaseInput {
  /** The overlay. */
  readonly file: string;
  /** The new backing file's name, as it is stored. */
  readonly backing?: string | undefined;
  /** Its format. */
  readonly backingFormat?: "qcow2" | "raw" | undefined;
  /** Whether there is to be no backing file any more. */
  readonly standalone?: boolean | undefined;
  /** Whether only the name is changed. */
  readonly unsafe?: boolean | undefined;
  /** Folders of backing and data files. */
  readonly allow?: readonly string[] | undefined;
  /** Holds the passphrase of encrypted backing files. */
  readonly passphraseFile?: string | undefined;
}

/** The schema of {@link DiskRebaseInput}. */
export const input: z.ZodType<DiskRebaseInput> = z.strictObject({
  file: z.string().min(1),
  backing: z.string().min(1).optional(),
  backingFormat: z.enum(["qcow2", "raw"]).optional(),
  standalone: z.boolean().optional(),
  unsafe: z.boolean().optional(),
  allow: z.array(z.string().min(1)).optional(),
  passphraseFile: z.string().min(1).optional(),
});

/** What `box disk rebase` prints. */
export interface DiskRebaseOutput {
  /** The file as it was given. */
  readonly file: string;
  /** The backing file that it has now. */
  readonly backing?: { readonly name: string; readonly format: string } | undefined;
  /** Bytes that the image stores itself now because the new backing file has others. */
  readonly copiedBytes: number;
}

/** The schema of {@link DiskRebaseOutput}. */
export const output: z.ZodType<DiskRebaseOutput> = z.strictObject({
  file: z.string(),
  backing: z.strictObject({ name: z.string(), format: z.string() }).optional(),
  copiedBytes: z.int(),
});
