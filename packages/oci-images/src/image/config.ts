import {
  type Digest,
  digestSchema,
  type ParseJsonOptions,
  type Platform,
  parseJson,
} from "@box/oras";
import * as z from "zod";
import { ImageError } from "../errors.ts";

/** What an image says about itself: its platform, how to run it, its layers and its history. */
export interface ImageConfig {
  /** What it runs on. */
  readonly platform: Platform;
  /** When it was made, as written. */
  readonly created?: string;
  /** Who made it. */
  readonly author?: string;
  /** Environment entries as written, mostly `NAME=VALUE`, in order, with duplicates. */
  readonly env: readonly string[];
  /** The program and its first arguments. */
  readonly entrypoint: readonly string[];
  /** Default arguments, or the program when there is no entrypoint. */
  readonly cmd: readonly string[];
  /** Where it starts; empty when the image does not say. */
  readonly workingDir: string;
  /** Who runs it: user or uid, with a group or gid after a colon; empty when the image does not say. */
  readonly user: string;
  /** Ports as written, such as `80/tcp`. */
  readonly exposedPorts: readonly string[];
  /** Paths of volumes. */
  readonly volumes: readonly string[];
  /** Labels. */
  readonly labels: Readonly<Record<string, string>>;
  /** The signal that stops it. */
  readonly stopSignal?: string;
  /** Digests of the uncompressed layers, lowest first. */
  readonly diffIds: readonly Digest[];
  /** How the layers came about. */
  readonly history: readonly HistoryEntry[];
}

/** One step of an image's making. */
export interface HistoryEntry {
  /** When, as written. */
  readonly created?: string;
  /** The command. */
  readonly createdBy?: string;
  /** Who. */
  readonly author?: string;
  /** A remark. */
  readonly comment?: string;
  /** Whether the step made no layer. */
  readonly isEmptyLayer: boolean;
}

// Made when it is first used: making it takes longer than reading a config with it.
const configSchema = z.lazy(() => {
  const text = z.string().nullish();
  const shortText = z.string().max(255).nullish();
  const texts = z.array(z.string()).nullish();
  const flags = z.record(z.string(), z.unknown()).nullish();
  return z.looseObject({
    architecture: shortText,
    os: shortText,
    "os.version": text,
    variant: text,
    created: text,
    author: text,
    config: z
      .looseObject({
        Env: texts,
        Entrypoint: texts,
        Cmd: texts,
        WorkingDir: text,
        User: text,
        ExposedPorts: flags,
        Volumes: flags,
        Labels: z.record(z.string(), z.string()).nullish(),
        StopSignal: text,
      })
      .nullish(),
    rootfs: z.looseObject({ type: text, diff_ids: z.array(digestSchema).nullish() }),
    history: z.array(historySchema).nullish(),
  });
});

const historySchema = z.lazy(() => {
  const text = z.string().nullish();
  return z.looseObject({
    created: text,
    created_by: text,
    author: text,
    comment: text,
    empty_layer: z.boolean().nullish(),
  });
});

/**
 * Parses the config of an OCI or Docker image. Fields that Docker writes as null are absent.
 *
 * @throws {@link ImageError} `OCI_INVALID_CONFIG`; OrasError `OCI_TOO_LARGE`, `OCI_TOO_DEEP`, `OCI_INVALID_JSON`.
 */
export function parseImageConfig(bytes: Uint8Array, options: ParseJsonOptions): ImageConfig {
  const result = configSchema.safeParse(parseJson(bytes, options));
  if (!result.success) {
    const issue = result.error.issues[0];
    throw new ImageError({
      code: "OCI_INVALID_CONFIG",
      message: `cannot use ${options.what}: ${issue?.path.join(".")}: ${issue?.message}`,
    });
  }
  return toConfig(result.data);
}

function toConfig(data: z.infer<typeof configSchema>): ImageConfig {
  const run = data.config ?? {};
  return {
    platform: {
      os: data.os || "linux",
      architecture: data.architecture || "unknown",
      ...defined("variant", data.variant),
      ...defined("os.version", data["os.version"]),
    },
    ...defined("created", data.created),
    ...defined("author", data.author),
    env: run.Env ?? [],
    entrypoint: run.Entrypoint ?? [],
    cmd: run.Cmd ?? [],
    workingDir: run.WorkingDir ?? "",
    user: run.User ?? "",
    exposedPorts: Object.keys(run.ExposedPorts ?? {}),
    volumes: Object.keys(run.Volumes ?? {}),
    labels: run.Labels ?? {},
    ...defined("stopSignal", run.StopSignal),
    diffIds: data.rootfs.diff_ids ?? [],
    history: (data.history ?? []).map(toHistoryEntry),
  };
}

function toHistoryEntry(entry: z.infer<typeof historySchema>): HistoryEntry {
  return {
    ...defined("created", entry.created),
    ...defined("createdBy", entry.created_by),
    ...defined("author", entry.author),
    ...defined("comment", entry.comment),
    isEmptyLayer: entry.empty_layer ?? false,
  };
}

function defined<Key extends string>(
  key: Key,
  value: string | null | undefined,
): { [K in Key]?: string } {
  return (value === null || value === undefined || value === "" ? {} : { [key]: value }) as {
    [K in Key]?: string;
  };
}
