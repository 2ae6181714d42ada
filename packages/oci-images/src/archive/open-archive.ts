import { link, mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import { ensureDirectory } from "@box/io/node";
import {
  type Descriptor,
  isDigest,
  namesOf,
  OciLayout,
  type OperationOptions,
  OrasError,
  type ReadonlyTarget,
} from "@box/oras";
import { ImageError } from "../errors.ts";
import { defaultImageLimits, type ImageLimits } from "../image/image.ts";
import { formatImageReference, type ImageReference } from "../reference/image-reference.ts";
import { fullNamesOf, readDockerArchive } from "./docker-archive.ts";
import { type ArchiveInput, findStaged, type StagedArchive, stageArchive } from "./stage.ts";

/** An image of an archive. */
export interface ArchivedImage {
  /** Its manifest or index. */
  readonly descriptor: Descriptor;
  /** Its names as the archive writes them. */
  readonly names: readonly string[];
}

/** An archive's content, in a folder that goes when it is disposed of. */
export interface OpenedArchive extends AsyncDisposable {
  /** Where the content is read from; a layout, or what was made from the files of `docker save`. */
  readonly target: ReadonlyTarget;
  /** Its images, in the archive's order. */
  readonly images: readonly ArchivedImage[];
}

/** Options of {@link openArchive}. */
export interface OpenArchiveOptions extends OperationOptions {
  /** A folder for temporary files. */
  readonly folder: string;
  /** The most bytes of the archive's files; 64 GiB unless given. */
  readonly maxBytes?: number;
  /** How large documents may be. */
  readonly limits?: Partial<ImageLimits>;
}

type ArchiveReference = ImageReference & { type: "oci-archive" | "docker-archive" };

/**
 * Opens an image archive: a packed image layout, or what `docker save` writes. One that is both is read as a layout.
 *
 * @throws {@link ImageError} `OCI_ARCHIVE_CORRUPT`; OrasError `OCI_NOT_FOUND`; IoError.
 */
export async function openArchive(
  input: ArchiveInput,
  options: OpenArchiveOptions,
): Promise<OpenedArchive> {
  await ensureDirectory(options.folder);
  const folder = await mkdtemp(join(options.folder, "import-"));
  const dispose = (): Promise<void> => rm(folder, { recursive: true, force: true });
  try {
    const archive = await stageArchive(input, {
      folder,
      maxBytes: options.maxBytes ?? 64 * 1024 ** 3,
      signal: options.signal,
    });
    const opened = archive.files.has("oci-layout")
      ? await openAsLayout(archive, join(folder, "layout"), options)
      : await readDockerArchive(archive, { ...defaultImageLimits, ...options.limits });
    return { ...opened, [Symbol.asyncDispose]: dispose };
  } catch (error) {
    await dispose();
    throw error;
  }
}

/**
 * Finds the image that a reference means; never the first of several.
 *
 * @throws OrasError `OCI_NOT_FOUND`, `OCI_AMBIGUOUS_REFERENCE`; {@link ImageError} `OCI_ARCHIVE_CORRUPT`.
 */
export async function chooseArchived(
  { target, images }: OpenedArchive,
  reference: ArchiveReference,
): Promise<Descriptor> {
  const { tag } = reference;
  if (target instanceof OciLayout) {
    return tag === undefined ? target.resolveOnly() : target.resolve(tag);
  }
  if (reference.type === "oci-archive") {
    throw new ImageError({
      code: "OCI_ARCHIVE_CORRUPT",
      message: `cannot use ${formatImageReference(reference)}: it holds no image layout`,
      hint: "use docker-archive: for what docker save writes",
    });
  }
  // Tools write tags short or in full; both are known by the full form.
  if (tag !== undefined) return target.resolve(fullNamesOf(tag).at(-1) ?? tag);
  const [first] = images;
  if (first !== undefined && images.every(sameAs(first))) return first.descriptor;
  throw new OrasError({
    code: "OCI_AMBIGUOUS_REFERENCE",
    message: `cannot choose an image of ${reference.path}: it holds ${images.length} images`,
    hint: `name one: ${formatImageReference(reference)}:NAME`,
  });
}

function sameAs(first: ArchivedImage): (image: ArchivedImage) => boolean {
  return ({ descriptor }) => descriptor.digest === first.descriptor.digest;
}

/** Gives the files of a layout their places; only names that are digests become names on the host. */
async function openAsLayout(
  archive: StagedArchive,
  folder: string,
  { limits = {} }: OpenArchiveOptions,
): Promise<Omit<OpenedArchive, keyof AsyncDisposable>> {
  for (const algorithm of ["sha256", "sha384", "sha512"]) {
    await ensureDirectory(join(folder, "blobs", algorithm));
  }
  for (const name of archive.files.keys()) {
    const file = findStaged(archive, name);
    const [top, algorithm, hex, more] = name.split("/");
    const isBlob = top === "blobs" && more === undefined && isDigest(`${algorithm}:${hex}`);
    const isKnown = isBlob || name === "oci-layout" || name === "index.json";
    if (file !== undefined && isKnown) await link(file.path, join(folder, name));
  }
  const target = await OciLayout.open(folder, { limits });
  const { manifests } = await target.index();
  return {
    target,
    images: manifests.map((descriptor) => ({ descriptor, names: namesOf(descriptor) })),
  };
}
