import * as z from "zod";
import {
  type BitmapFacts,
  bitmapFacts,
  type SnapshotFacts,
  snapshotFacts,
} from "../../disks/image-facts.ts";

/** What `box disk info` takes. */
export interface DiskInfoInput {
  /** The file. */
  readonly file: string;
  /** Its format. */
  readonly inputFormat?: "qcow2" | "raw" | undefined;
}

/** The schema of {@link DiskInfoInput}. */
export const input: z.ZodType<DiskInfoInput> = z.strictObject({
  file: z.string().min(1),
  inputFormat: z.enum(["qcow2", "raw"]).optional(),
});

/** What `box disk info` prints. */
export interface DiskInfoOutput {
  /** The file as it was given. */
  readonly file: string;
  /** Its format. */
  readonly format: "qcow2" | "raw";
  /** Size of the virtual disk; a text where it is too large for a number. */
  readonly virtualSizeBytes: bigint | number | string;
  /** Size of the file. */
  readonly fileSizeBytes: number;
  /** What only a qcow2 has. */
  readonly qcow2?: Qcow2Facts | undefined;
  /** What `--format qemu-json` prints; only there when it was asked for. */
  readonly qemu?: Readonly<Record<string, unknown>> | undefined;
}

/** The header of a qcow2 file. */
export interface Qcow2Facts {
  /** Format version. */
  readonly version: number;
  /** Size of a cluster. */
  readonly clusterSizeBytes: number;
  /** Width of a refcount. */
  readonly refcountBits: number;
  /** How compressed clusters are compressed. */
  readonly compressionType: string;
  /** How data is encrypted. */
  readonly encryption: string;
  /** Cipher and mode of a LUKS image, such as `aes-256-xts-plain64`. */
  readonly cipher?: string | undefined;
  /** Whether it was not closed. */
  readonly isDirty: boolean;
  /** Whether a writer found it damaged. */
  readonly isMarkedCorrupt: boolean;
  /** Whether L2 entries have subclusters. */
  readonly hasExtendedL2: boolean;
  /** Its internal snapshots. */
  readonly snapshots: readonly SnapshotFacts[];
  /** Its persistent dirty bitmaps. */
  readonly bitmaps: readonly BitmapFacts[];
  /** The file that it is an overlay on. */
  readonly backing?: { readonly name: string; readonly format?: string | undefined } | undefined;
  /** The file that holds its data. */
  readonly dataFile?: { readonly name?: string | undefined; readonly isRaw: boolean } | undefined;
}

/** The schema of {@link DiskInfoOutput}. */
export const output: z.ZodType<DiskInfoOutput> = z.strictObject({
  file: z.string(),
  format: z.enum(["qcow2", "raw"]),
  virtualSizeBytes: z.union([z.int(), z.string()]),
  fileSizeBytes: z.int(),
  qcow2: z
    .strictObject({
      version: z.int(),
      clusterSizeBytes: z.int(),
      refcountBits: z.int(),
      compressionType: z.string(),
      encryption: z.string(),
      cipher: z.string().optional(),
      isDirty: z.boolean(),
      isMarkedCorrupt: z.boolean(),
      hasExtendedL2: z.boolean(),
      snapshots: z.array(snapshotFacts),
      bitmaps: z.array(bitmapFacts),
      backing: z.strictObject({ name: z.string(), format: z.string().optional() }).optional(),
      dataFile: z.strictObject({ name: z.string().optional(), isRaw: z.boolean() }).optional(),
    })
    .optional(),
  qemu: z.record(z.string(), z.unknown()).optional(),
});
