import * as z from "zod";

/** What `box pull` takes. */
export interface PullInput {
  /** The images. */
  readonly refs: string[];
  /** Such as `linux/arm64`. */
  readonly platform?: string | undefined;
  /** A public key that each image must be signed with. */
  readonly verifyKey?: string | undefined;
}

/** The schema of {@link PullInput}. */
export const input: z.ZodType<PullInput> = z.strictObject({
  refs: z.array(z.string().min(1)).min(1),
  platform: z.string().min(1).optional(),
  verifyKey: z.string().min(1).optional(),
});

/** An image that was pulled. */
export interface PulledImage {
  /** Its full reference. */
  readonly reference: string;
  /** Digest of its manifest. */
  readonly digest: string;
  /** Such as `linux/amd64`. */
  readonly platform: string;
  /** How many layers it has. */
  readonly layers: number;
  /** Size of its layers as stored. */
  readonly sizeBytes: number;
}

/** What `box pull` prints. */
export type PullOutput = readonly PulledImage[];

/** The schema of {@link PullOutput}. */
export const output: z.ZodType<PullOutput> = z.array(
  z.strictObject({
    reference: z.string(),
    digest: z.string(),
    platform: z.string(),
    layers: z.int(),
    sizeBytes: z.int(),
  }),
);
