import { OciLayout, OrasError, RemoteRepository, type Target } from "@box/oras";
import { formatImageReference, type ImageReference } from "../reference/image-reference.ts";
import type { OpenClientOptions } from "./image-source.ts";
import { createClient } from "./registry-source.ts";

/** Somewhere that an image is sent to. */
export interface ImageDestination extends AsyncDisposable {
  /** Where its content goes. */
  readonly target: Target;
  /** The tag that it gets there. */
  readonly selector: string;
  /** The full name that it has there. */
  readonly name: string;
}

/**
 * Opens what a reference names, to write to it. Mirrors are never written to.
 *
 * @throws OrasError `OCI_INVALID_REFERENCE` for archives, which are exported to, and for digests, which content chooses.
 */
export async function openDestination(
  reference: ImageReference,
  options: OpenClientOptions,
): Promise<ImageDestination> {
  if (reference.type !== "registry" && reference.type !== "oci") {
    throw refuse(reference, "archives are made by exporting: box export");
  }
  if (reference.digest !== undefined) {
    throw refuse(reference, "a digest cannot be chosen; name a tag");
  }
  const selector = reference.tag ?? "latest";
  if (reference.type === "oci") {
    const target = await OciLayout.ensure(reference.path, { limits: options.limits ?? {} });
    const name = formatImageReference({ ...reference, path: target.directory, tag: selector });
    return { target, selector, name, [Symbol.asyncDispose]: async () => {} };
  }
  const client = await createClient(options);
  return {
    target: new RemoteRepository(client, reference.host, reference.repository),
    selector,
    name: formatImageReference(reference),
    [Symbol.asyncDispose]: () => client.close(),
  };
}

function refuse(reference: ImageReference, why: string): OrasError {
  return new OrasError({
    code: "OCI_INVALID_REFERENCE",
    message: `cannot push to ${formatImageReference(reference)}: ${why}`,
  });
}
