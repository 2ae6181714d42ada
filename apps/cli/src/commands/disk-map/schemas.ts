import * as z from "zod";

/** What `box disk map` takes. */
export interface DiskMapInput {
  /** The file. */
  readonly file: string;
  /** Its format. */
  readonly inputFormat?: "qcow2" | "raw" | undefined;
  /** Folders of backing and data files. */
  readonly allow?: readonly string[] | undefined;
  /** Holds the passphrase. */
  readonly passphraseFile?: string | undefined;
}

/** The schema of {@link DiskMapInput}. */
export const input: z.ZodType<DiskMapInput> = z.strictObject({
  file: z.string().min(1),
  inputFormat: z.enum(["qcow2", "raw"]).optional(),
  allow: z.array(z.string().min(1)).optional(),
  passphraseFile: z.string().min(1).optional(),
});

/** A range of the virtual disk. */
export interface MapExtent {
  /** First byte. */
  readonly start: number;
  /** Length in bytes. */
  readonly length: number;
  /** Which file of the chain it comes from: 0 is the image itself. */
  readonly depth: number;
  /** What is there; `unallocated` is in no file of the chain and reads as zeros. */
  readonly kind: "data" | "zero" | "unallocated" | "compressed";
  /** Where in that file it is, when it is stored as it is. */
  readonly offset?: number | undefined;
}

/** What `box disk map` prints. */
export interface DiskMapOutput {
  /** The file as it was given. */
  readonly file: string;
  /** Size of the virtual disk. */
  readonly virtualSizeBytes: number;
  /** The files of the chain by depth: the image itself, then its backing files. */
  readonly chain: readonly string[];
  /** The whole disk, in order. */
  readonly extents: readonly MapExtent[];
  /** What `--format qemu-json` prints; only there when it was asked for. */
  readonly qemu?: readonly unknown[] | undefined;
}

/** The schema of {@link DiskMapOutput}. */
export const output: z.ZodType<DiskMapOutput> = z.strictObject({
  file: z.string(),
  virtualSizeBytes: z.int(),
  chain: z.array(z.string()),
  extents: z.array(
    z.strictObject({
      start: z.int(),
      length: z.int(),
      depth: z.int(),
      kind: z.enum(["data", "zero", "unallocated", "compressed"]),
      offset: z.int().optional(),
    }),
  ),
  qemu: z.array(z.unknown()).optional(),
});
