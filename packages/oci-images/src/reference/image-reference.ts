import {
  type Digest,
  formatRegistryReference,
  isDigest,
  OrasError,
  parseDigest,
  parseRegistryReference,
  type RegistryReference,
  splitReference,
} from "@box/oras";

/** Where an image is: in a registry, an image layout or an archive. */
export type ImageReference =
  | ({ readonly type: "registry" } & RegistryReference)
  | {
      readonly type: "oci";
      /** The layout's folder. */
      readonly path: string;
      /** The entry's name. */
      readonly tag?: string;
      /** The entry's or a manifest's digest. */
      readonly digest?: Digest;
    }
  | {
      readonly type: "oci-archive" | "docker-archive";
      /** The archive's file. */
      readonly path: string;
      /** The image's name in the archive. */
      readonly tag?: string;
    };

const defaultHost = "docker.io";
const defaultNamespace = "library";
const maxPathLength = 4096;

/**
 * Parses what users call an image: `NAME[:TAG][@DIGEST]` with Docker's short names, `oci:DIR[:TAG]`, `oci:DIR@DIGEST`,
 * `oci-archive:FILE[:TAG]` and `docker-archive:FILE[:TAG]`. Runs in linear time. As with other tools, a path of the
 * last three forms ends at its first colon.
 *
 * @throws OrasError `OCI_INVALID_REFERENCE`, `OCI_INVALID_DIGEST`.
 */
export function parseImageReference(text: string): ImageReference {
  const colon = text.indexOf(":");
  const transport = text.slice(0, Math.max(colon, 0));
  const rest = text.slice(colon + 1);
  if (transport === "oci") return parseLayoutReference(text, rest);
  if (transport === "oci-archive" || transport === "docker-archive") {
    return { type: transport, ...splitPath(text, rest) };
  }
  return { type: "registry", ...parseNamed(text) };
}

/** The one full form of a reference; parsing it gives the same reference. */
export function formatImageReference(reference: ImageReference): string {
  if (reference.type === "registry") return formatRegistryReference(reference);
  const tag = reference.tag === undefined ? "" : `:${reference.tag}`;
  const digest =
    reference.type === "oci" && reference.digest !== undefined ? `@${reference.digest}` : "";
  return `${reference.type}:${reference.path}${tag}${digest}`;
}

/** Docker's rules: no host is docker.io, a single name is in `library`, and neither tag nor digest is `latest`. */
function parseNamed(text: string): RegistryReference {
  const parts = splitReference(text);
  const slash = parts.name.indexOf("/");
  const first = parts.name.slice(0, Math.max(slash, 0));
  const hasHost = first !== "" && (/[.:[]/.test(first) || first === "localhost" || isUpper(first));
  const host = hasHost ? first : defaultHost;
  const name = hasHost ? parts.name.slice(slash + 1) : parts.name;
  const canonicalHost = host === "index.docker.io" ? defaultHost : host;
  const isShort = canonicalHost === defaultHost && !name.includes("/");
  const repository = isShort ? `${defaultNamespace}/${name}` : name;
  const suffix = text.slice(parts.name.length);
  const parsed = parseRegistryReference(`${canonicalHost}/${repository}${suffix}`);
  const isBare = parsed.tag === undefined && parsed.digest === undefined;
  return isBare ? { ...parsed, tag: "latest" } : parsed;
}

function parseLayoutReference(text: string, rest: string): ImageReference {
  const at = rest.lastIndexOf("@");
  const digest = at < 0 ? undefined : rest.slice(at + 1);
  if (digest === undefined || !looksLikeDigest(digest)) {
    return { type: "oci", ...splitPath(text, rest) };
  }
  return { type: "oci", ...splitPath(text, rest.slice(0, at)), digest: parseDigest(digest) };
}

/** A folder's name may hold an at sign, so only what names an algorithm counts as a digest. */
function looksLikeDigest(text: string): boolean {
  return isDigest(text) || /^sha\d{3}:/.test(text);
}

function splitPath(text: string, rest: string): { path: string; tag?: string } {
  const colon = rest.indexOf(":");
  const path = colon < 0 ? rest : rest.slice(0, colon);
  const tag = colon < 0 ? undefined : rest.slice(colon + 1);
  if (path === "" || path.length > maxPathLength || path.includes("\0")) {
    throw invalid(text, "the path is empty, too long or malformed");
  }
  if (tag !== undefined && !isEntryName(tag))
    throw invalid(text, "the name after the path is malformed");
  return { path, ...(tag === undefined ? {} : { tag }) };
}

/** Names of layout entries are tags or whole references. */
function isEntryName(text: string): boolean {
  return text.length <= 1024 && /^[A-Za-z0-9_][A-Za-z0-9._:@/+-]*$/.test(text);
}

function isUpper(text: string): boolean {
  return text !== text.toLowerCase();
}

function invalid(text: string, why: string): OrasError {
  return new OrasError({
    code: "OCI_INVALID_REFERENCE",
    message: `cannot parse image reference ${JSON.stringify(text.slice(0, 160))}: ${why}`,
    hint: "images are named NAME[:TAG][@DIGEST], oci:DIR[:TAG], oci-archive:FILE or docker-archive:FILE",
  });
}
