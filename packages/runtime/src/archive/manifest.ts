import * as z from "zod";
import type { BoxRecord } from "../boxes/box.ts";
import type { RunSettings } from "../boxes/run-settings.ts";

/** The version of archives that this version of box writes and reads. */
export const archiveVersion = 1;

/** The most bytes that the description of a box may have. */
export const maxManifestBytes: number = 4 * 1024 * 1024;

const digest = z.string().regex(/^sha256:[0-9a-f]{64}$/);
const size = z.int().nonnegative();
/** It is shown to people, and control characters would speak to their terminals. */
const reference = z
  .string()
  .max(4096)
  .regex(/^\P{Cc}+$/u);
const environment = z.array(z.tuple([z.string(), z.string()])).readonly();

const box = z.strictObject({
  name: z.string(),
  image: z.strictObject({ reference, digest: digest.optional() }),
  imageConfig: z
    .strictObject({
      environment,
      entrypoint: z.array(z.string()),
      command: z.array(z.string()),
      workingDirectory: z.string(),
      user: z.string(),
      stopSignal: z.string().optional(),
    })
    .optional(),
  guestRootfs: z.discriminatedUnion("type", [
    z.strictObject({
      type: z.literal("disk"),
      reference: reference.optional(),
      imageDigest: digest.optional(),
      environment: environment.optional(),
    }),
    z.strictObject({ type: z.literal("initramfs") }),
  ]),
  diskSizeBytes: size.optional(),
  labels: z.record(z.string(), z.string()),
  autoRemove: z.boolean(),
  run: z
    .strictObject({
      memoryMiB: z.int(),
      cpus: z.int(),
      command: z.array(z.string()).optional(),
      usesEntrypoint: z.boolean().optional(),
      hostname: z.string().optional(),
      entrypoint: z.array(z.string()).optional(),
      stopSignal: z.string().optional(),
      groups: z.array(z.string()).optional(),
      environment: environment.optional(),
      workingDirectory: z.string().optional(),
      user: z.string().optional(),
      terminal: z.boolean().optional(),
      keepsInput: z.boolean().optional(),
      restart: z.discriminatedUnion("type", [
        z.strictObject({ type: z.literal("no") }),
        z.strictObject({ type: z.literal("on-failure"), maxRetries: z.int().optional() }),
        z.strictObject({ type: z.literal("always") }),
      ]),
    })
    .optional(),
});

const base = z.strictObject({
  /** Its content. */
  digest,
  sizeBytes: size,
  /** What it was built from, as the home that wrote the archive names it. */
  key: z
    .string()
    .regex(/^[0-9a-f]{64}$/)
    .optional(),
  /** Whether its content is in the archive; else it is built from its image. */
  isIncluded: z.boolean(),
});

const disk = z.strictObject({
  role: z.enum(["user", "guest"]),
  digest,
  sizeBytes: size,
  virtualSizeBytes: size,
  /** The digest of its base; absent for a disk of its own. */
  base: digest.optional(),
});

const manifest = z.strictObject({
  formatVersion: z.literal(archiveVersion),
  box,
  disks: z.array(disk).max(2),
  bases: z.array(base).max(2),
});

/** What an archive says about a disk. */
export interface ArchivedDisk {
  /** Whose disk it is. */
  readonly role: "user" | "guest";
  /** Digest of the overlay's file. */
  readonly digest: string;
  /** Size of the overlay's file in bytes. */
  readonly sizeBytes: number;
  /** Size of the virtual disk in bytes. */
  readonly virtualSizeBytes: number;
  /** The digest of its base; absent for a disk of its own. */
  readonly base?: string | undefined;
}

/** What an archive says about a base. */
export interface ArchivedBase {
  /** Digest of its content. */
  readonly digest: string;
  /** Its size in bytes. */
  readonly sizeBytes: number;
  /** Names what it was built from. */
  readonly key?: string | undefined;
  /** Whether its content is in the archive; else it is built from its image. */
  readonly isIncluded: boolean;
}

/** What an archive says about a box: `box.json`, its first entry. */
export interface ArchiveManifest {
  /** The version of this form. */
  readonly formatVersion: number;
  /** The record of the box, without what belongs to its home. */
  readonly box: Pick<
    BoxRecord,
    "name" | "image" | "imageConfig" | "guestRootfs" | "diskSizeBytes" | "labels" | "autoRemove"
  > & {
    /** How it runs; the ranges of the numbers are not checked here. */
    readonly run?: RunSettings | undefined;
  };
  /** Its disks. */
  readonly disks: readonly ArchivedDisk[];
  /** Their bases, each content once. */
  readonly bases: readonly ArchivedBase[];
}

/** Parses `box.json`. @returns The manifest, the version when it is a newer one, or what is wrong. */
export function parseManifest(
  bytes: Uint8Array,
):
  | { readonly manifest: ArchiveManifest }
  | { readonly version: number }
  | { readonly fault: string } {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch {
    return { fault: "its description is no JSON" };
  }
  const version = (value as { formatVersion?: unknown } | null)?.formatVersion;
  if (typeof version === "number" && version > archiveVersion) return { version };
  const result = manifest.safeParse(value);
  if (!result.success) {
    const [issue] = result.error.issues;
    return { fault: `its description is wrong at ${issue?.path.join(".")}: ${issue?.message}` };
  }
  const found = result.data as ArchiveManifest;
  return isConsistent(found)
    ? { manifest: found }
    : { fault: "its description contradicts itself" };
}

/** Every disk once, every base once and named by a disk, every named base there or known how to be made. */
function isConsistent({ box: { guestRootfs }, disks, bases }: ArchiveManifest): boolean {
  const named = new Set(disks.flatMap((one) => (one.base === undefined ? [] : [one.base])));
  const roles = new Set(disks.map(({ role }) => role));
  const digests = new Set(bases.map((one) => one.digest));
  return (
    (guestRootfs.type === "disk" || !roles.has("guest")) &&
    bases.every(({ isIncluded, key }) => isIncluded || key !== undefined) &&
    roles.size === disks.length &&
    digests.size === bases.length &&
    named.size === digests.size &&
    [...named].every((one) => digests.has(one))
  );
}
