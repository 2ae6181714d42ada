import {
  type Digest,
  Misfit,
  type ParseJsonOptions,
  type Platform,
  parseJson,
  readDigest,
  readField,
  readFields,
  readFlag,
  readList,
  readMap,
  readNullish,
  readText,
  type ValueReader,
} from "@box/oras";
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

/**
 * Parses the config of an OCI or Docker image. Fields that Docker writes as null are absent.
 *
 * @throws {@link ImageError} `OCI_INVALID_CONFIG`; OrasError `OCI_TOO_LARGE`, `OCI_TOO_DEEP`, `OCI_INVALID_JSON`.
 */
export function parseImageConfig(bytes: Uint8Array, options: ParseJsonOptions): ImageConfig {
  const value = parseJson(bytes, options);
  try {
    return readConfig(value);
  } catch (error) {
    if (!(error instanceof Misfit)) throw error;
    throw new ImageError({
      code: "OCI_INVALID_CONFIG",
      message: `cannot use ${options.what}: ${error.describe()}`,
    });
  }
}

const text = readNullish(readText());
const shortText = readNullish(readText({ max: 255 }));
const texts = readNullish(readList(readText()));
const names = readNullish(readMap((value) => value));

function readConfig(value: unknown): ImageConfig {
  const fields = readFields(value);
  const architecture = readField(fields, "architecture", shortText);
  const os = readField(fields, "os", shortText);
  const version = readField(fields, "os.version", text);
  const variant = readField(fields, "variant", text);
  return {
    platform: {
      os: os || "linux",
      architecture: architecture || "unknown",
      ...defined("variant", variant),
      ...defined("os.version", version),
    },
    ...defined("created", readField(fields, "created", text)),
    ...defined("author", readField(fields, "author", text)),
    ...(readField(fields, "config", readNullish(readRun)) ?? readRun({})),
    diffIds: readField(fields, "rootfs", readDiffIds),
    history: readField(fields, "history", readNullish(readList(readHistoryEntry))) ?? [],
  };
}

type RunFields =
  | "env"
  | "entrypoint"
  | "cmd"
  | "workingDir"
  | "user"
  | "exposedPorts"
  | "volumes"
  | "labels"
  | "stopSignal";

function readRun(value: unknown): Pick<ImageConfig, RunFields> {
  const fields = readFields(value);
  const field = <T>(key: string, read: ValueReader<T>): T => readField(fields, key, read);
  return {
    env: field("Env", texts) ?? [],
    entrypoint: field("Entrypoint", texts) ?? [],
    cmd: field("Cmd", texts) ?? [],
    workingDir: field("WorkingDir", text) ?? "",
    user: field("User", text) ?? "",
    exposedPorts: Object.keys(field("ExposedPorts", names) ?? {}),
    volumes: Object.keys(field("Volumes", names) ?? {}),
    labels: field("Labels", readNullish(readMap(readText()))) ?? {},
    ...defined("stopSignal", field("StopSignal", text)),
  };
}

function readDiffIds(value: unknown): readonly Digest[] {
  const fields = readFields(value);
  readField(fields, "type", text);
  return readField(fields, "diff_ids", readNullish(readList(readDigest))) ?? [];
}

function readHistoryEntry(value: unknown): HistoryEntry {
  const fields = readFields(value);
  return {
    ...defined("created", readField(fields, "created", text)),
    ...defined("createdBy", readField(fields, "created_by", text)),
    ...defined("author", readField(fields, "author", text)),
    ...defined("comment", readField(fields, "comment", text)),
    isEmptyLayer: readField(fields, "empty_layer", readNullish(readFlag)) ?? false,
  };
}

function defined<Key extends string>(key: Key, value: string | undefined): { [K in Key]?: string } {
  return (value === undefined || value === "" ? {} : { [key]: value }) as { [K in Key]?: string };
}
