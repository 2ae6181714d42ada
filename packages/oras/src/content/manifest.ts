import { OrasError, type OrasErrorCode } from "../errors.ts";
import { parseJson } from "../json/parse-json.ts";
import {
  Misfit,
  readExactly,
  readField,
  readFields,
  readList,
  readOptionalField,
  readText,
} from "../json/read-value.ts";
import { type Descriptor, readAnnotations, readDescriptor, withoutNulls } from "./descriptor.ts";
import { isIndexType, isManifestType, mediaTypes } from "./media-types.ts";

/** The manifest of one image or artifact. */
export interface Manifest {
  /** Always 2. */
  readonly schemaVersion: 2;
  /** What the document says it is. */
  readonly mediaType?: string;
  /** What the artifact is. */
  readonly artifactType?: string;
  /** The config blob. */
  readonly config: Descriptor;
  /** The layer blobs, lowest first. */
  readonly layers: readonly Descriptor[];
  /** The manifest that this one is about. */
  readonly subject?: Descriptor;
  /** Free-form facts. */
  readonly annotations?: Readonly<Record<string, string>>;
}

/** A list of manifests, one for each platform as a rule. */
export interface Index {
  /** Always 2. */
  readonly schemaVersion: 2;
  /** What the document says it is. */
  readonly mediaType?: string;
  /** What the artifact is. */
  readonly artifactType?: string;
  /** The entries. */
  readonly manifests: readonly Descriptor[];
  /** The manifest that this index is about. */
  readonly subject?: Descriptor;
  /** Free-form facts. */
  readonly annotations?: Readonly<Record<string, string>>;
}

/** A parsed manifest document. */
export type ManifestDocument =
  | { readonly type: "manifest"; readonly mediaType: string; readonly manifest: Manifest }
  | { readonly type: "index"; readonly mediaType: string; readonly index: Index };

/** What is known about a document before it is parsed, and its limits. */
export interface ParseManifestOptions {
  /** For messages: a reference or digest. */
  readonly what?: string;
  /** The type that the descriptor or the `Content-Type` names; a known one must agree with the document. */
  readonly mediaType?: string;
  /** The most bytes; 4 MiB by default. */
  readonly maxBytes?: number;
  /** The most layers or entries; 10,000 by default. */
  readonly maxChildren?: number;
}

/** The default limit of manifests and configs in bytes. */
export const maxManifestBytes: number = 4 * 1024 * 1024;

function readManifest(value: unknown): Manifest {
  const fields = readCommon(value);
  const config = readField(fields, "config", readDescriptor);
  const layers = readField(fields, "layers", readList(readDescriptor));
  return { ...fields, config, layers } as unknown as Manifest;
}

function readIndex(value: unknown): Index {
  const fields = readCommon(value);
  const manifests = readField(fields, "manifests", readList(readDescriptor));
  return { ...fields, manifests } as unknown as Index;
}

/** Reads the fields that manifests and indexes share. */
function readCommon(value: unknown): Readonly<Record<string, unknown>> {
  const fields = readFields(value);
  readField(fields, "schemaVersion", readExactly(2));
  readOptionalField(fields, "mediaType", readText());
  readOptionalField(fields, "artifactType", readText());
  const subject = readOptionalField(fields, "subject", readDescriptor);
  readOptionalField(fields, "annotations", readAnnotations);
  return subject === undefined ? fields : { ...fields, subject };
}

/**
 * Parses a manifest or an index and refuses documents that could be read as both (CVE-2021-41190).
 *
 * @throws {@link OrasError} `OCI_TOO_LARGE`, `OCI_TOO_DEEP`, `OCI_INVALID_JSON`, `OCI_INVALID_MANIFEST`,
 * `OCI_AMBIGUOUS_MANIFEST`, `OCI_MEDIA_TYPE_MISMATCH`, `OCI_UNSUPPORTED_SCHEMA1`, `OCI_UNSUPPORTED_MEDIA_TYPE`.
 */
export function parseManifest(
  bytes: Uint8Array,
  options: ParseManifestOptions = {},
): ManifestDocument {
  const what = `manifest${options.what === undefined ? "" : ` ${options.what}`}`;
  const value = parseJson(bytes, { what, maxBytes: options.maxBytes ?? maxManifestBytes });
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw refuse("OCI_INVALID_MANIFEST", what, "it is not a JSON object");
  }
  const given = value as Record<string, unknown>;
  refuseSchema1(given, what);
  const isIndex = "manifests" in given;
  if (isIndex && ("layers" in given || "config" in given)) {
    throw refuse("OCI_AMBIGUOUS_MANIFEST", what, "it has manifests and also layers or a config");
  }
  const children = isIndex ? "manifests" : "layers";
  // A list that is not there at all is another matter.
  const nulls = given[children] === null ? { [children]: [] } : {};
  const fields = { ...(withoutNulls(given) as Record<string, unknown>), ...nulls };
  const mediaType = agreedType(fields["mediaType"], options.mediaType, isIndex, what);
  return isIndex
    ? { type: "index", mediaType, index: validateIndex(fields, what, options.maxChildren) }
    : { type: "manifest", mediaType, manifest: validate(fields, what, options.maxChildren) };
}

/** What a document refers to: config and layers, or entries, and the subject last. */
export function successorsOf(document: ManifestDocument): readonly Descriptor[] {
  const { subject } = document.type === "manifest" ? document.manifest : document.index;
  const children =
    document.type === "manifest"
      ? [document.manifest.config, ...document.manifest.layers]
      : document.index.manifests;
  return subject === undefined ? children : [...children, subject];
}

function validate(value: unknown, what: string, maxChildren = 10_000): Manifest {
  const manifest = fitting(value, what, readManifest);
  limitChildren(manifest.layers.length, maxChildren, what);
  return manifest;
}

function validateIndex(value: unknown, what: string, maxChildren = 10_000): Index {
  const index = fitting(value, what, readIndex);
  limitChildren(index.manifests.length, maxChildren, what);
  return index;
}

function fitting<T>(value: unknown, what: string, read: (value: unknown) => T): T {
  try {
    return read(value);
  } catch (error) {
    if (error instanceof Misfit) throw refuse("OCI_INVALID_MANIFEST", what, error.describe());
    throw error;
  }
}

function limitChildren(count: number, limit: number, what: string): void {
  if (count > limit) {
    throw refuse("OCI_TOO_LARGE", what, `it lists ${count} entries, the limit is ${limit}`);
  }
}

function refuseSchema1(fields: Record<string, unknown>, what: string): void {
  if (fields["schemaVersion"] !== 1 && !("fsLayers" in fields)) return;
  throw new OrasError({
    code: "OCI_UNSUPPORTED_SCHEMA1",
    message: `cannot use ${what}: it has Docker's old schema 1`,
    hint: "push the image again with a current tool, which writes schema 2 or OCI manifests",
  });
}

/** The document's own type, else the one named outside, else the one its shape says. */
function agreedType(
  inside: unknown,
  outside: string | undefined,
  isIndex: boolean,
  what: string,
): string {
  if (inside !== undefined && typeof inside !== "string") {
    throw refuse("OCI_INVALID_MANIFEST", what, "its mediaType is not a string");
  }
  const named = outside !== undefined && isKnown(outside) ? outside : undefined;
  if (inside !== undefined && named !== undefined && inside !== named) {
    throw refuse("OCI_MEDIA_TYPE_MISMATCH", what, `it says ${inside} but was named ${named}`);
  }
  const mediaType = inside ?? named ?? (isIndex ? mediaTypes.ociIndex : mediaTypes.ociManifest);
  if (!isKnown(mediaType)) {
    throw refuse("OCI_UNSUPPORTED_MEDIA_TYPE", what, `its type is ${mediaType.slice(0, 255)}`);
  }
  if (isIndexType(mediaType) !== isIndex) {
    throw refuse("OCI_MEDIA_TYPE_MISMATCH", what, `its type ${mediaType} does not fit its fields`);
  }
  return mediaType;
}

function isKnown(mediaType: string): boolean {
  return isManifestType(mediaType) || isIndexType(mediaType);
}

function refuse(code: OrasErrorCode, what: string, why: string): OrasError {
  return new OrasError({ code, message: `cannot use ${what}: ${why}` });
}
