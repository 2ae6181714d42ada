import * as z from "zod";

/** What `box disk explain` takes. */
export interface DiskExplainInput {
  /** The file. */
  readonly file: string;
  /** Its format. */
  readonly inputFormat?: "qcow2" | "raw" | undefined;
  /** Folders of backing and data files. */
  readonly allow?: readonly string[] | undefined;
}

/** The schema of {@link DiskExplainInput}. */
export const input: z.ZodType<DiskExplainInput> = z.strictObject({
  file: z.string().min(1),
  inputFormat: z.enum(["qcow2", "raw"]).optional(),
  allow: z.array(z.string().min(1)).optional(),
});

/** A file of the chain below the disk. */
export interface ExplainedMember {
  /** What it is to the disk. */
  readonly role: "backing" | "data-file";
  /** How deep it is: 1 for the backing file of the disk itself. */
  readonly depth: number;
  /** The name that is stored. */
  readonly name: string;
  /** Its format. */
  readonly format: string;
}

/** What `box disk explain` prints. */
export interface DiskExplainOutput {
  /** The file as it was given. */
  readonly file: string;
  /** Its format. */
  readonly format: "qcow2" | "raw";
  /** What it is. */
  readonly role: "raw disk" | "image" | "overlay";
  /** Whether its tables are sound; a raw disk has none. */
  readonly state: "consistent" | "leaking" | "corrupt";
  /** Whether a machine could use it now: sound, and every file of its chain can be opened. */
  readonly isUsable: boolean;
  /** Clusters of the virtual disk that the file itself holds, of all; absent for a raw disk. */
  readonly clusters?: { readonly own: number; readonly total: number } | undefined;
  /** The files below it, as far as they could be opened. */
  readonly chain: readonly ExplainedMember[];
  /** What a person should know, a sentence each. */
  readonly sentences: readonly string[];
  /** What could be done next. */
  readonly next: readonly { readonly command: string; readonly reason: string }[];
}

/** The schema of {@link DiskExplainOutput}. */
export const output: z.ZodType<DiskExplainOutput> = z.strictObject({
  file: z.string(),
  format: z.enum(["qcow2", "raw"]),
  role: z.enum(["raw disk", "image", "overlay"]),
  state: z.enum(["consistent", "leaking", "corrupt"]),
  isUsable: z.boolean(),
  clusters: z.strictObject({ own: z.int(), total: z.int() }).optional(),
  chain: z.array(
    z.strictObject({
      role: z.enum(["backing", "data-file"]),
      depth: z.int(),
      name: z.string(),
      format: z.string(),
    }),
  ),
  sentences: z.array(z.string()),
  next: z.array(z.strictObject({ command: z.string(), reason: z.string() })),
});
