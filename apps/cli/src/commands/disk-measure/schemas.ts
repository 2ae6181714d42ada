import * as z from "zod";

/** What `box disk measure` takes. */
export interface DiskMeasureInput {
  /** The disk to copy; a new one of the given size without it. */
  readonly file?: string | undefined;
  /** Size of a new disk. */
  readonly size?: string | undefined;
  /** Format of the file. */
  readonly inputFormat?: "qcow2" | "raw" | undefined;
  /** Format of the file that is to be made. */
  readonly outputFormat?: "qcow2" | "raw" | undefined;
  /** Such as `64KiB`. */
  readonly clusterSize?: string | undefined;
  /** Width of a refcount. */
  readonly refcountBits?: "1" | "2" | "4" | "8" | "16" | "32" | "64" | undefined;
  /** Version of the format, in QEMU's words. */
  readonly compat?: "0.10" | "1.1" | undefined;
  /** Whether clusters have subclusters. */
  readonly extendedL2?: boolean | undefined;
  /** Folders of backing and data files. */
  readonly allow?: readonly string[] | undefined;
  /** Holds the passphrase. */
  readonly passphraseFile?: string | undefined;
}

/** The schema of {@link DiskMeasureInput}. */
export const input: z.ZodType<DiskMeasureInput> = z.strictObject({
  file: z.string().min(1).optional(),
  size: z.string().optional(),
  inputFormat: z.enum(["qcow2", "raw"]).optional(),
  outputFormat: z.enum(["qcow2", "raw"]).optional(),
  clusterSize: z.string().optional(),
  refcountBits: z.enum(["1", "2", "4", "8", "16", "32", "64"]).optional(),
  compat: z.enum(["0.10", "1.1"]).optional(),
  extendedL2: z.boolean().optional(),
  allow: z.array(z.string().min(1)).optional(),
  passphraseFile: z.string().min(1).optional(),
});

/** What `box disk measure` prints. */
export interface DiskMeasureOutput {
  /** Format of the file that is to be made. */
  readonly format: "qcow2" | "raw";
  /** Bytes that it needs with the data that there is now. */
  readonly requiredBytes: number;
  /** Bytes that it needs with every cluster allocated. */
  readonly fullyAllocatedBytes: number;
  /** Bytes for the source's bitmaps on top of either. */
  readonly bitmapsBytes?: number | undefined;
  /** What `--format qemu-json` prints; only there when it was asked for. */
  readonly qemu?: unknown;
}

/** The schema of {@link DiskMeasureOutput}. */
export const output: z.ZodType<DiskMeasureOutput> = z.strictObject({
  format: z.enum(["qcow2", "raw"]),
  requiredBytes: z.int(),
  fullyAllocatedBytes: z.int(),
  bitmapsBytes: z.int().optional(),
  qemu: z.unknown().optional(),
});
