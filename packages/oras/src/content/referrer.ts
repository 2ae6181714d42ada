import type { Descriptor } from "./descriptor.ts";
import { type ManifestDocument, parseManifest } from "./manifest.ts";

/** How a manifest stands in the list of its subject's referrers; nothing for one without a subject. */
export function describeReferrer(
  descriptor: Descriptor,
  bytes: Uint8Array,
): { readonly subject: Descriptor; readonly entry: Descriptor } | undefined {
  const document = parseManifest(bytes, {
    what: descriptor.digest,
    mediaType: descriptor.mediaType,
    // Whoever read them has limited them.
    maxBytes: bytes.byteLength,
  });
  const { subject } = contentOf(document);
  return subject === undefined
    ? undefined
    : { subject, entry: describeListed(document, descriptor) };
}

/** The entry of a list of referrers for a document, by the distribution specification, "Listing Referrers". */
export function describeListed(
  document: ManifestDocument,
  { mediaType, digest, size }: Descriptor,
): Descriptor {
  const { annotations } = contentOf(document);
  const artifactType = artifactTypeOf(document);
  return {
    mediaType,
    digest,
    size,
    ...(artifactType === undefined ? {} : { artifactType }),
    ...(annotations === undefined ? {} : { annotations }),
  };
}

/** What a document says it is: its artifact type, else its config's type. An empty type is none. */
function artifactTypeOf(document: ManifestDocument): string | undefined {
  const config = document.type === "manifest" ? document.manifest.config.mediaType : undefined;
  return contentOf(document).artifactType || config;
}

function contentOf(document: ManifestDocument): {
  readonly artifactType?: string;
  readonly subject?: Descriptor;
  readonly annotations?: Readonly<Record<string, string>>;
} {
  return document.type === "manifest" ? document.manifest : document.index;
}
