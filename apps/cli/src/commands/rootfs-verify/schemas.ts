import * as z from "zod";
import type { RootfsInput } from "../../rootfs/open-rootfs.ts";

/** What `box rootfs verify` takes. */
export interface RootfsVerifyInput extends RootfsInput {
  /** The disk; every base of the home without it. */
  readonly file?: string | undefined;
}

/** The schema of {@link RootfsVerifyInput}. */
export const input: z.ZodType<RootfsVerifyInput> = z.strictObject({
  file: z.string().min(1).optional(),
  inputFormat: z.enum(["ext4", "qcow2"]).optional(),
  allow: z.array(z.string().min(1)).optional(),
});

/** What is wrong with one disk. */
export interface VerifiedDisk {
  /** The disk. */
  readonly file: string;
  /** Whether nothing is wrong with it. */
  readonly isSound: boolean;
  /** Every broken rule. */
  readonly findings: readonly {
    readonly code: string;
    readonly message: string;
    readonly details: Readonly<Record<string, unknown>>;
  }[];
}

/** The schema of what `box rootfs verify` prints. */
export const output: z.ZodType<readonly VerifiedDisk[]> = z.array(
  z.strictObject({
    file: z.string(),
    isSound: z.boolean(),
    findings: z.array(
      z.strictObject({
        code: z.string(),
        message: z.string(),
        details: z.record(z.string(), z.unknown()),
      }),
    ),
  }),
);
