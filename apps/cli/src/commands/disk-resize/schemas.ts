import * as z from "zod";

/** What `box disk resize` takes. */
export interface DiskResizeInput {
  /** The file. */
  readonly file: string;
  /** The new size, or how much larger or smaller. */
  readonly size: string;
  /** Its format. */
  readonly inputFormat?: "qcow2" | "raw" | undefined;
  /** Whether the end of the disk may be cut off. */
  readonly shrink?: boolean | undefined;
  /** How much of the new part is made at once. */
  readonly preallocation?: "off" | "metadata" | "full" | undefined;
  /** Folders of backing and data files. */
  readonly allow?: readonly string[] | undefined;
}

/** The schema of {@link DiskResizeInput}. */
export const input: z.ZodType<DiskResizeInput> = z.strictObject({
  file: z.string().min(1),
  size: z.string().min(1),
  inputFormat: z.enum(["qcow2", "raw"]).optional(),
  shrink: z.boolean().optional(),
  preallocation: z.enum(["off", "metadata", "full"]).optional(),
  allow: z.array(z.string().min(1)).optional(),
});

/** What `box disk resize` prints. */
export interface DiskResizeOutput {
  /** The file as it was given. */
  readonly file: string;
  /** Its format. */
  readonly format: "qcow2" | "raw";
  /** Size of the virtual disk before. */
  readonly oldSizeBytes: number;
  /** Size of the virtual disk now. */
  readonly virtualSizeBytes: number;
}

/** The schema of {@link DiskResizeOutput}. */
export const output: z.ZodType<DiskResizeOutput> = z.strictObject({
  file: z.string(),
  format: z.enum(["qcow2", "raw"]),
  oldSizeBytes: z.int(),
  virtualSizeBytes: z.int(),
});
