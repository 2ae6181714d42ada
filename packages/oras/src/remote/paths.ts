import type { Digest } from "../content/digest.ts";
import { isDigest } from "../content/digest.ts";
import { isTag } from "../content/reference.ts";
import { OrasError } from "../errors.ts";

/** The path of a manifest. The reference is checked before it becomes a part of a URL. */
export function manifestPath(repository: string, reference: string): string {
  if (!isDigest(reference) && !isTag(reference)) {
    throw new OrasError({
      code: "OCI_INVALID_REFERENCE",
      message: `cannot use ${JSON.stringify(reference.slice(0, 160))} as a tag or digest`,
    });
  }
  return `/v2/${repository}/manifests/${reference}`;
}

/** The path of a blob. */
export function blobPath(repository: string, digest: Digest): string {
  return `/v2/${repository}/blobs/${digest}`;
}
