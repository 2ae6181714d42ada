import * as z from "zod";
import { type ImageInput, imageInput } from "../../disks/image-input.ts";

/** What `box disk convert` takes. */
export interface DiskConvertInput extends ImageInput {
  /** The disk to copy. */
  readonly src: string;
  /** The file to make. */
  readonly dst: string;
  /** Format of the source. */
  readonly inputFormat?: "qcow2" | "raw" | undefined;
  /** Format of the target. */
  readonly outputFormat?: "qcow2" | "raw" | undefined;
  /** Whether clusters are compressed. */
  readonly compress?: boolean | undefined;
  /** How clusters are compressed. */
  readonly compression?: "zlib" | "zstd" | undefined;
  /** The internal snapshot to copy. */
  readonly snapshot?: string | undefined;
  /** Whether an existing target is replaced. */
  readonly force?: boolean | undefined;
  /** Folders of backing and data files. */
  readonly allow?: readonly string[] | undefined;
  /** Holds the passphrase. */
  readonly passphraseFile?: string | undefined;
}

/** The schema of {@link DiskConvertInput}. */
export const input: z.ZodType<DiskConvertInput> = z.strictObject({
  src: z.string().min(1),
  dst: z.string().min(1),
  inputFormat: z.enum(["qcow2", "raw"]).optional(),
  outputFormat: z.enum(["qcow2", "raw"]).optional(),
  compress: z.boolean().optional(),
  compression: z.enum(["zlib", "zstd"]).optional(),
  snapshot: z.string().min(1).optional(),
  ...imageInput,
  force: z.boolean().optional(),
  allow: z.array(z.string().min(1)).optional(),
  passphraseFile: z.string().min(1).optional(),
});

/** What `box disk convert` prints. */
export interface DiskConvertOutput {
  /** The source as it was given. */
  readonly src: string;
  /** Its format. */
  readonly srcFormat: "qcow2" | "raw";
  /** The file that was made. */
  readonly dst: string;
  /** Its format. */
  readonly dstFormat: "qcow2" | "raw";
  /** How its clusters are compressed, when they are. */
  readonly compression?: "zlib" | "zstd" | undefined;
  /** Size of the virtual disk. */
  readonly virtualSizeBytes: number;
  /** Size of the file that was made. */
  readonly fileSizeBytes: number;
  /** What it takes on its file system. */
  readonly allocatedBytes: number;
}

/** The schema of {@link DiskConvertOutput}. */
export const output: z.ZodType<DiskConvertOutput> = z.strictObject({
  src: z.string(),
  srcFormat: z.enum(["qcow2", "raw"]),
  dst: z.string(),
  dstFormat: z.enum(["qcow2", "raw"]),
  compression: z.enum(["zlib", "zstd"]).optional(),
  virtualSizeBytes: z.int(),
  fileSizeBytes: z.int(),
  allocatedBytes: z.int(),
});
