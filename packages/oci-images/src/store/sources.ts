import { resolve } from "node:path";
import { OciLayout, type OperationOptions, pinnedDigest } from "@box/oras";
import { formatImageReference, type ImageReference } from "../reference/image-reference.ts";
import type { ImageSource, OpenClientOptions } from "./image-source.ts";

/** Options of {@link openSource}. */
export interface OpenSourceOptions extends OperationOptions, OpenClientOptions {
  /** A folder for what is unpacked from archives. */
  readonly folder: string;
}

/**
 * Opens what a reference names.
 *
 * @throws OrasError `OCI_ARCHIVE_CORRUPT`, `OCI_LAYOUT_MISSING` and their like.
 */
export async function openSource(
  reference: ImageReference,
  options: OpenSourceOptions,
): Promise<ImageSource> {
  switch (reference.type) {
    case "registry": {
      // Loaded when it is needed: an image that is known needs no registry.
      const { registrySource } = await import("./registry-source.ts");
      return registrySource(reference, options);
    }
    case "oci":
      return layoutSource(reference, options);
    default:
      return archiveSource(reference, options);
  }
}

async function archiveSource(
  reference: ImageReference & { type: "oci-archive" | "docker-archive" },
  options: OpenSourceOptions,
): Promise<ImageSource> {
  const { chooseArchived, openArchive } = await import("../archive/open-archive.ts");
  const path = resolve(reference.path);
  const opened = await openArchive(path, options);
  const { target } = opened;
  const image = await chooseArchived(target, { ...reference, path }).catch(async (error) => {
    await opened[Symbol.asyncDispose]();
    throw error;
  });
  return {
    target,
    selector: image.digest,
    name: formatImageReference({ ...reference, path }),
    isLocal: true,
    pinned: pinnedDigest(reference.tag ?? ""),
    [Symbol.asyncDispose]: () => opened[Symbol.asyncDispose](),
  };
}

async function layoutSource(
  reference: ImageReference & { type: "oci" },
  { limits = {} }: OpenSourceOptions,
): Promise<ImageSource> {
  const target = await OciLayout.open(reference.path, { limits });
  return {
    target,
    selector: reference.digest ?? reference.tag,
    name: formatImageReference({ ...reference, path: target.directory }),
    isLocal: true,
    pinned: reference.digest,
    [Symbol.asyncDispose]: async () => {},
  };
}
