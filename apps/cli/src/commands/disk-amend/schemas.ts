import * as z from "zod";

/** What `box disk amend` takes. */
export interface DiskAmendInput {
  /** The image. */
  readonly file: string;
  /** `1.1` is version 3 of the format, `0.10` version 2. */
  readonly compat?: "0.10" | "1.1" | undefined;
  /** Width of a reference count. */
  readonly refcountBits?: string | undefined;
  /** Whether writers may bring reference counts up to date later. */
  readonly lazyRefcounts?: "on" | "off" | undefined;
  /** The external data file's new name, as it is stored. */
  readonly dataFile?: string | undefined;
  /** Whether the data file stays a raw disk by itself; can only be given up. */
  readonly dataFileRaw?: "off" | undefined;
}

/** The schema of {@link DiskAmendInput}. */
export const input: z.ZodType<DiskAmendInput> = z.strictObject({
  file: z.string().min(1),
  compat: z.enum(["0.10", "1.1"]).optional(),
  refcountBits: z.enum(["1", "2", "4", "8", "16", "32", "64"]).optional(),
  lazyRefcounts: z.enum(["on", "off"]).optional(),
  dataFile: z.string().min(1).optional(),
  dataFileRaw: z.enum(["off"]).optional(),
});

/** What `box disk amend` prints. */
export interface DiskAmendOutput {
  /** The file as it was given. */
  readonly file: string;
  /** The version that it has now, as QEMU names it. */
  readonly compat: "0.10" | "1.1";
  /** Width of its reference counts now. */
  readonly refcountBits: number;
  /** Whether writers may bring reference counts up to date later. */
  readonly lazyRefcounts: boolean;
  /** Its data file, when it has one. */
  readonly dataFile?: { readonly name: string; readonly isRaw: boolean } | undefined;
}

/** The schema of {@link DiskAmendOutput}. */
export const output: z.ZodType<DiskAmendOutput> = z.strictObject({
  file: z.string(),
  compat: z.enum(["0.10", "1.1"]),
  refcountBits: z.int(),
  lazyRefcounts: z.boolean(),
  dataFile: z.strictObject({ name: z.string(), isRaw: z.boolean() }).optional(),
});
