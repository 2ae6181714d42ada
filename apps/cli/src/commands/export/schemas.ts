import type { ArchiveFormat } from "@box/oci-images";
import * as z from "zod";

/** What `box export` takes. */
export interface ExportInput {
  /** The image. */
  readonly ref: string;
  /** The archive; `-` for stdout. */
  readonly output: string;
  /** Its form. */
  readonly archiveFormat?: ArchiveFormat | undefined;
  /** Such as `linux/arm64`. */
  readonly platform?: string | undefined;
}

/** The schema of {@link ExportInput}. */
export const input: z.ZodType<ExportInput> = z.strictObject({
  ref: z.string().min(1),
  output: z.string({ error: "say which file to write, or - for stdout" }).min(1),
  archiveFormat: z.enum(["oci-archive", "docker-archive", "docker-archive-legacy"]).optional(),
  platform: z.string().min(1).optional(),
});

/** What `box export` prints, unless the archive goes to stdout. */
export interface ExportOutput {
  /** The archive. */
  readonly file: string;
  /** Its size in bytes. */
  readonly sizeBytes: number;
}

/** The schema of {@link ExportOutput}. */
export const output: z.ZodType<ExportOutput> = z.strictObject({
  file: z.string(),
  sizeBytes: z.int(),
});
