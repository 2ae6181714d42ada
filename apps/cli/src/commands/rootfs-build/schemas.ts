import * as z from "zod";

/** What `box rootfs build` takes. */
export interface RootfsBuildInput {
  /** The image. */
  readonly ref: string;
  /** The file to write. */
  readonly output: string;
  /** Its format. */
  readonly diskFormat?: "ext4" | "qcow2" | undefined;
  /** Such as `2GiB`. */
  readonly size?: string | undefined;
  /** Files of this machine to put on top, `SRC:DST:MODE` each. */
  readonly inject?: readonly string[] | undefined;
  /** Such as `linux/arm64`. */
  readonly platform?: string | undefined;
  /** When the registry is asked. */
  readonly pull?: "missing" | "always" | "never" | undefined;
}

/** The schema of {@link RootfsBuildInput}. */
export const input: z.ZodType<RootfsBuildInput> = z.strictObject({
  ref: z.string().min(1),
  output: z.string("must be given").min(1),
  diskFormat: z.enum(["ext4", "qcow2"]).optional(),
  size: z.string().optional(),
  inject: z.array(z.string()).optional(),
  platform: z.string().min(1).optional(),
  pull: z.enum(["missing", "always", "never"]).optional(),
});

/** What `box rootfs build` prints. */
export interface RootfsBuildOutput {
  /** The file that was written. */
  readonly file: string;
  /** Its format. */
  readonly diskFormat: "ext4" | "qcow2";
  /** The image. */
  readonly reference: string;
  /** Digest of its manifest. */
  readonly digest: string;
  /** Names the input: the same key, the same bytes. */
  readonly key: string;
  /** Size of the file system. */
  readonly sizeBytes: number;
  /** Files, directories and other nodes in it. */
  readonly nodeCount: number;
}

/** The schema of {@link RootfsBuildOutput}. */
export const output: z.ZodType<RootfsBuildOutput> = z.strictObject({
  file: z.string(),
  diskFormat: z.enum(["ext4", "qcow2"]),
  reference: z.string(),
  digest: z.string(),
  key: z.string(),
  sizeBytes: z.int(),
  nodeCount: z.int(),
});
