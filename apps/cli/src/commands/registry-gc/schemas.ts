import type { CollectedRegistry } from "@box/oras/registry-server";
import * as z from "zod";

/** What `box registry gc` takes. */
export interface RegistryGcInput {
  /** The registry's folder. */
  readonly dir?: string | undefined;
  /** An age such as `1h`. */
  readonly grace?: string | undefined;
  /** Whether manifests without a tag go too. */
  readonly untagged?: boolean | undefined;
  /** Whether nothing is removed. */
  readonly dryRun?: boolean | undefined;
}

/** The schema of {@link RegistryGcInput}. */
export const input: z.ZodType<RegistryGcInput> = z.strictObject({
  dir: z.string().min(1).optional(),
  grace: z.string().min(1).optional(),
  untagged: z.boolean().optional(),
  dryRun: z.boolean().optional(),
});

/** What `box registry gc` prints. */
export interface RegistryGcOutput extends CollectedRegistry {
  /** Whether nothing was removed. */
  readonly dryRun: boolean;
}

const digest = z.templateLiteral([z.enum(["sha256", "sha384", "sha512"]), ":", z.string()]);
const manifest = { repository: z.string(), digest };

/** The schema of {@link RegistryGcOutput}. */
export const output: z.ZodType<RegistryGcOutput> = z.strictObject({
  dryRun: z.boolean(),
  manifests: z.array(z.strictObject(manifest)),
  blobs: z.array(z.strictObject({ digest, size: z.int() })),
  freedBytes: z.int(),
  damaged: z.array(z.strictObject({ ...manifest, message: z.string() })),
});
