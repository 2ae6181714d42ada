import * as z from "zod";

/** What `box disk check` takes. */
export interface DiskCheckInput {
  /** The file. */
  readonly file: string;
  /** Its format. */
  readonly inputFormat?: "qcow2" | "raw" | undefined;
  /** What to repair. */
  readonly repair?: "leaks" | "all" | undefined;
  /** Whether to end as qemu-img does. */
  readonly qemuExitCodes?: boolean | undefined;
}

/** The schema of {@link DiskCheckInput}. */
export const input: z.ZodType<DiskCheckInput> = z.strictObject({
  file: z.string().min(1),
  inputFormat: z.enum(["qcow2", "raw"]).optional(),
  repair: z.enum(["leaks", "all"]).optional(),
  qemuExitCodes: z.boolean().optional(),
});

/** One thing that is wrong. */
export interface CheckFinding {
  /** `error` when data is or may be lost, `leak` when only space is. */
  readonly severity: "error" | "leak";
  /** Which rule is broken. */
  readonly code: string;
  /** Where in the file, in bytes. */
  readonly offset: number;
  /** Which part of the image. */
  readonly structure: string;
  /** One sentence. */
  readonly message: string;
}

/** What `box disk check` prints. */
export interface DiskCheckOutput {
  /** The file as it was given. */
  readonly file: string;
  /** What it comes to. */
  readonly verdict: "clean" | "leaking" | "corrupt";
  /** Broken rules. */
  readonly errors: number;
  /** Clusters that nothing uses and that are counted as used. */
  readonly leaks: number;
  /** Size of a cluster. */
  readonly clusterSizeBytes: number;
  /** Whether every table could be read. */
  readonly isComplete: boolean;
  /** What was repaired; only there after `--repair`. */
  readonly repaired?: { readonly corruptions: number; readonly leaks: number } | undefined;
  /** Clusters of the virtual disk, and those that the image holds. */
  readonly clusters: {
    readonly total: number;
    readonly allocated: number;
    readonly fragmented: number;
    readonly compressed: number;
  };
  /** Where the last cluster in use ends. */
  readonly imageEndOffset: number;
  /** What is wrong, 1,000 findings at most. */
  readonly findings: readonly CheckFinding[];
  /** What `--format qemu-json` prints; only there when it was asked for. */
  readonly qemu?: Readonly<Record<string, unknown>> | undefined;
  /** The exit code that qemu-img would end with; only there when it was asked for. */
  readonly qemuExitCode?: number | undefined;
}

/** The schema of {@link DiskCheckOutput}. */
export const output: z.ZodType<DiskCheckOutput> = z.strictObject({
  file: z.string(),
  verdict: z.enum(["clean", "leaking", "corrupt"]),
  errors: z.int(),
  leaks: z.int(),
  clusterSizeBytes: z.int(),
  isComplete: z.boolean(),
  repaired: z.strictObject({ corruptions: z.int(), leaks: z.int() }).optional(),
  clusters: z.strictObject({
    total: z.int(),
    allocated: z.int(),
    fragmented: z.int(),
    compressed: z.int(),
  }),
  imageEndOffset: z.int(),
  findings: z.array(
    z.strictObject({
      severity: z.enum(["error", "leak"]),
      code: z.string(),
      offset: z.int(),
      structure: z.string(),
      message: z.string(),
    }),
  ),
  qemu: z.record(z.string(), z.unknown()).optional(),
  qemuExitCode: z.int().optional(),
});
