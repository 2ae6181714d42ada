import { isBoxError } from "@box/errors";
import { type FileSystem, openFile } from "@box/io/node";
import type { RecordedRecipe } from "../build/recipe.ts";
import type { BaseStamp } from "./base-stamp.ts";

/** Version of the record's form. */
export const recordVersion = 1;

/** What `KEY.json` says about `KEY.ext4`. It is written last: without it there is no base. */
export interface BaseRecord {
  /** Version of this form. */
  readonly formatVersion: number;
  /** The base's key. */
  readonly key: string;
  /** Size of the file in bytes. */
  readonly sizeBytes: number;
  /** Digest of the file's whole content, `sha256:...`. */
  readonly digest: string;
  /** Where the image came from, for people. */
  readonly source: string;
  /** What it was built from; `adopted` for one that came from elsewhere as it is. */
  readonly recipe: RecordedRecipe | { readonly adopted: true };
  /** The file that was verified; a record without one, as older versions wrote them, gets it when its disk has been read. */
  readonly stamp?: BaseStamp;
}

const maxRecordBytes = 4 * 1024 * 1024;

/**
 * Reads a record; nothing when there is none, or when it is no record of this version: the base is then built again.
 *
 * @throws IoError when it cannot be read.
 */
export async function readBaseRecord(
  fs: FileSystem,
  path: string,
  key: string,
): Promise<BaseRecord | undefined> {
  const text = await readText(fs, path);
  return text === undefined ? undefined : parseBaseRecord(text, key);
}

/** Parses a record; nothing when it is none of this key and version. */
function parseBaseRecord(text: string, key: string): BaseRecord | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof value !== "object" || value === null) return undefined;
  const record = value as Partial<Record<keyof BaseRecord, unknown>>;
  const isRecord =
    record.formatVersion === recordVersion &&
    record.key === key &&
    Number.isSafeInteger(record.sizeBytes) &&
    typeof record.digest === "string" &&
    /^sha256:[0-9a-f]{64}$/.test(record.digest) &&
    typeof record.source === "string" &&
    typeof record.recipe === "object" &&
    record.recipe !== null;
  return isRecord ? (value as BaseRecord) : undefined;
}

async function readText(fs: FileSystem, path: string): Promise<string | undefined> {
  try {
    await using file = await openFile(path, { fs, followLink: false, blocking: true });
    const size = await file.size();
    if (size > maxRecordBytes) return undefined;
    return new TextDecoder().decode(await file.read(0, size));
  } catch (error) {
    if (isBoxError(error) && error.code === "IO_NOT_FOUND") return undefined;
    throw error;
  }
}
