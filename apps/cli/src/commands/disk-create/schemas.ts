import * as z from "zod";
import { type ImageInput, imageInput } from "../../disks/image-input.ts";

/** What `box disk create` takes. */
export interface DiskCreateInput extends ImageInput {
  /** The file to make. */
  readonly file: string;
  /** Size of the disk; the backing file's unless given. */
  readonly size?: string | undefined;
  /** Format of the file. */
  readonly inputFormat?: "qcow2" | "raw" | undefined;
  /** The backing file's name, as it is stored. */
  readonly backing?: string | undefined;
  /** Its format. */
  readonly backingFormat?: "qcow2" | "raw" | undefined;
  /** The external data file's name, as it is stored. */
  readonly dataFile?: string | undefined;
  /** Whether that file stays a raw disk by itself. */
  readonly dataFileRaw?: boolean | undefined;
  /** How writers compress. */
  readonly compression?: "zlib" | "zstd" | undefined;
  /** How much is made at once. */
  readonly preallocation?: "off" | "metadata" | "full" | undefined;
  /** Whether an existing file is replaced. */
  readonly force?: boolean | undefined;
}

/** The schema of {@link DiskCreateInput}. */
export const input: z.ZodType<DiskCreateInput> = z.strictObject({
  file: z.string().min(1),
  size: z.string().optional(),
  inputFormat: z.enum(["qcow2", "raw"]).optional(),
  backing: z.string().min(1).optional(),
  backingFormat: z.enum(["qcow2", "raw"]).optional(),
  dataFile: z.string().min(1).optional(),
  dataFileRaw: z.boolean().optional(),
  ...imageInput,
  compression: z.enum(["zlib", "zstd"]).optional(),
  preallocation: z.enum(["off", "metadata", "full"]).optional(),
  force: z.boolean().optional(),
});

/** What `box disk create` prints. */
export interface DiskCreateOutput {
  /** The file as it was given. */
  readonly file: string;
  /** Its format. */
  readonly format: "qcow2" | "raw";
  /** Size of the virtual disk. */
  readonly virtualSizeBytes: number;
  /** Size of the file. */
  readonly fileSizeBytes: number;
  /** What it takes on its file system. */
  readonly allocatedBytes: number;
  /** The backing file, when it has one. */
  readonly backing?: { readonly name: string; readonly format: string } | undefined;
  /** The data file, when it has one. */
  readonly dataFile?: string | undefined;
}

/** The schema of {@link DiskCreateOutput}. */
export const output: z.ZodType<DiskCreateOutput> = z.strictObject({
  file: z.string(),
  format: z.enum(["qcow2", "raw"]),
  virtualSizeBytes: z.int(),
  fileSizeBytes: z.int(),
  allocatedBytes: z.int(),
  backing: z.strictObject({ name: z.string(), format: z.string() }).optional(),
  dataFile: z.string().optional(),
});
