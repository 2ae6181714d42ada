import { join } from "node:path";
import { isBoxError } from "@box/errors";
import { type FileSystem, openFile, writeFileDurably } from "@box/io/node";
import { type Descriptor, readDescriptor } from "../content/descriptor.ts";
import type { Index } from "../content/manifest.ts";
import { OrasError } from "../errors.ts";
import { parseJson } from "../json/parse-json.ts";
import { Misfit, readExactly, readField, readFields, readList } from "../json/read-value.ts";

/** The annotations by which a layout names its entries. */
export const nameAnnotations = {
  /** The tag, by the image layout specification. */
  reference: "org.opencontainers.image.ref.name",
  /** The full reference, as containerd writes it. */
  image: "io.containerd.image.name",
} as const;

/** The most bytes of `oci-layout`. */
export const maxMarkerBytes = 4096;

function readIndex(value: unknown): Index {
  const fields = readFields(value);
  readField(fields, "schemaVersion", readExactly(2));
  // Programs in Go write null for an empty list.
  const manifests =
    fields["manifests"] === null ? [] : readField(fields, "manifests", readList(readDescriptor));
  return { ...fields, manifests } as unknown as Index;
}

/**
 * Checks that a folder is an image layout of version 1.
 *
 * @throws {@link OrasError} `OCI_LAYOUT_MISSING`, `OCI_LAYOUT_INVALID`, `OCI_LAYOUT_VERSION`; IoError.
 */
export async function checkMarker(directory: string, fs?: FileSystem): Promise<void> {
  validateMarker(await readSmallFile(directory, "oci-layout", maxMarkerBytes, fs), directory);
}

/**
 * Refuses an `oci-layout` file of another version.
 *
 * @param place - The layout's folder or archive, for messages.
 * @throws {@link OrasError} `OCI_LAYOUT_INVALID`, `OCI_LAYOUT_VERSION`.
 */
export function validateMarker(bytes: Uint8Array, place: string): void {
  const value = parseLayoutJson(bytes, join(place, "oci-layout"), maxMarkerBytes);
  const version = readVersion(value);
  if (version === undefined) throw invalidLayout(place, "its oci-layout file is malformed");
  if (!/^1\.\d+\.\d+$/.test(version)) {
    throw new OrasError({
      code: "OCI_LAYOUT_VERSION",
      message: `cannot use image layout ${place}: its version is ${JSON.stringify(version.slice(0, 40))}, expected 1.x.x`,
      details: { path: place },
    });
  }
}

function readVersion(value: unknown): string | undefined {
  const fields = typeof value === "object" && value !== null ? value : {};
  const version = "imageLayoutVersion" in fields ? fields.imageLayoutVersion : undefined;
  return typeof version === "string" ? version : undefined;
}

/** Reads `index.json`; entries of any media type are kept. */
export async function readIndexFile(
  directory: string,
  maxBytes: number,
  fs?: FileSystem,
): Promise<Index> {
  const bytes = await readSmallFile(directory, "index.json", maxBytes, fs);
  return parseIndexFile(bytes, directory, maxBytes);
}

/**
 * Parses `index.json`.
 *
 * @param place - The layout's folder or archive, for messages.
 * @throws {@link OrasError} `OCI_LAYOUT_INVALID`, `OCI_TOO_LARGE`, `OCI_TOO_DEEP`.
 */
export function parseIndexFile(bytes: Uint8Array, place: string, maxBytes: number): Index {
  const value = parseLayoutJson(bytes, join(place, "index.json"), maxBytes);
  try {
    return readIndex(value);
  } catch (error) {
    if (!(error instanceof Misfit)) throw error;
    throw invalidLayout(place, `its index.json is malformed: ${error.describe()}`);
  }
}

/**
 * Writes `index.json` durably; whoever changes it holds the layout's lock.
 *
 * @throws {@link OrasError} `OCI_TOO_LARGE` for one that could not be read again: the old one stays. IoError.
 */
export async function writeIndexFile(
  directory: string,
  index: Index,
  maxBytes: number,
  fs?: FileSystem,
): Promise<void> {
  const text = `${JSON.stringify(index)}\n`;
  const size = Buffer.byteLength(text);
  if (size > maxBytes) throw tooLarge(directory, size, maxBytes);
  await writeFileDurably(join(directory, "index.json"), text, {
    mode: 0o644,
    ...(fs === undefined ? {} : { fs }),
  });
}

/** What an entry leads to, without the names that it has where it comes from. */
export function withoutNames(entry: Descriptor): Descriptor {
  const { annotations = {}, ...bare } = entry;
  const {
    [nameAnnotations.image]: _full,
    [nameAnnotations.reference]: _tag,
    ...rest
  } = annotations;
  return Object.keys(rest).length === 0 ? bare : { ...bare, annotations: rest };
}

/** The names of an entry. */
export function namesOf(entry: Descriptor): readonly string[] {
  const { annotations = {} } = entry;
  const names = [annotations[nameAnnotations.image], annotations[nameAnnotations.reference]];
  return [...new Set(names.filter((name) => name !== undefined))];
}

/**
 * The annotations that give an entry a name. The tag annotation has a grammar that other tools insist on, so a name
 * outside of it is kept as the full reference only.
 */
export function annotationsFor(name: string): Readonly<Record<string, string>> {
  const grammar =
    /^[A-Za-z0-9]+(?:(?:--|[-._:@+])[A-Za-z0-9]+)*(?:\/[A-Za-z0-9]+(?:(?:--|[-._:@+])[A-Za-z0-9]+)*)*$/;
  const reference = grammar.test(name) ? { [nameAnnotations.reference]: name } : {};
  return { ...reference, [nameAnnotations.image]: name };
}

/**
 * An entry that loses a name, or nothing when that was its only one. A tag that is only the end of the full name, as other
 * tools write it, is no name of its own: `example.com/a:v1` with `v1` is gone without the former, and not without the
 * latter.
 */
export function withoutName(entry: Descriptor, name: string): readonly Descriptor[] {
  if (!namesOf(entry).includes(name)) return [entry];
  const { annotations = {} } = entry;
  const { image, reference } = nameAnnotations;
  const full = annotations[image];
  const tag = annotations[reference];
  const lost = full === name ? image : reference;
  const other = lost === image ? tag : full;
  const isPart = lost === image && tag !== undefined && name.endsWith(`:${tag}`);
  if (other === undefined || other === name || isPart) return [];
  const { [lost]: _lost, ...rest } = annotations;
  return [{ ...entry, annotations: rest }];
}

async function readSmallFile(
  directory: string,
  name: string,
  maxBytes: number,
  fs?: FileSystem,
): Promise<Uint8Array> {
  const path = join(directory, name);
  try {
    const host = fs === undefined ? {} : { fs };
    await using file = await openFile(path, { ...host, blocking: true });
    return await file.read(0, Math.min(await file.size(), maxBytes + 1));
  } catch (error) {
    if (isBoxError(error) && error.code === "IO_NOT_FOUND") throw missingLayout(directory, name);
    throw error;
  }
}

function parseLayoutJson(bytes: Uint8Array, path: string, maxBytes: number): unknown {
  try {
    return parseJson(bytes, { what: path, maxBytes });
  } catch (error) {
    if (!(error instanceof OrasError) || error.code !== "OCI_INVALID_JSON") throw error;
    throw new OrasError({
      code: "OCI_LAYOUT_INVALID",
      message: error.message,
      details: { path },
      cause: error,
    });
  }
}

/** The error of a folder or an archive that lacks a file that layouts have. */
export function missingLayout(place: string, name: string): OrasError {
  return new OrasError({
    code: "OCI_LAYOUT_MISSING",
    message: `cannot find an OCI image layout at ${place}: it has no ${name} file`,
    details: { path: place },
    hint: "check the path: it must name what holds oci-layout, index.json and blobs",
  });
}

function tooLarge(directory: string, size: number, maxBytes: number): OrasError {
  return new OrasError({
    code: "OCI_TOO_LARGE",
    message: `cannot change image layout ${directory}: its index.json would have ${size} bytes, more than ${maxBytes}`,
    details: { path: directory, size, limit: maxBytes },
    hint: "take names away that are not used any more, or use another layout",
  });
}

function invalidLayout(directory: string, why: string): OrasError {
  return new OrasError({
    code: "OCI_LAYOUT_INVALID",
    message: `cannot use image layout ${directory}: ${why}`,
    details: { path: directory },
  });
}
