import { link, mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import { ensureDirectory } from "@box/io/node";
import { type Descriptor, isDigest, OciLayout, OrasError, type ReadonlyTarget } from "@box/oras";
import { ImageError } from "../errors.ts";
import { formatImageReference, type ImageReference } from "../reference/image-reference.ts";
import { namesOf, readDockerArchive } from "./docker-archive.ts";
import { findStaged, type StagedArchive, stageArchive } from "./stage.ts";

/** An archive's content, in a folder that goes when it is disposed of. */
export interface OpenedArchive extends AsyncDisposable {
  /** Its images. */
  readonly target: ReadonlyTarget;
  /** The image that the reference means. */
  readonly image: Descriptor;
}

/** Options of {@link openArchive}. */
export interface OpenArchiveOptions {
  /** A folder for temporary files. */
  readonly folder: string;
  /** The most bytes of the archive's files; 64 GiB unless given. */
  readonly maxBytes?: number;
  /** Stops between chunks. */
  readonly signal?: AbortSignal | undefined;
}

type ArchiveReference = ImageReference & { type: "oci-archive" | "docker-archive" };

/**
 * Opens an image archive: a packed image layout, or what `docker save` writes. One that is both is read as a layout.
 *
 * @throws {@link ImageError} `OCI_ARCHIVE_CORRUPT`; OrasError `OCI_NOT_FOUND`, `OCI_AMBIGUOUS_REFERENCE`; IoError.
 */
export async function openArchive(
  reference: ArchiveReference,
  options: OpenArchiveOptions,
): Promise<OpenedArchive> {
  await ensureDirectory(options.folder);
  const folder = await mkdtemp(join(options.folder, "import-"));
  const dispose = (): Promise<void> => rm(folder, { recursive: true, force: true });
  try {
    const archive = await stageArchive(reference.path, {
      folder,
      maxBytes: options.maxBytes ?? 64 * 1024 ** 3,
      signal: options.signal,
    });
    const opened = archive.files.has("oci-layout")
      ? await openAsLayout(archive, join(folder, "layout"), reference)
      : await openAsDocker(archive, reference);
    return { ...opened, [Symbol.asyncDispose]: dispose };
  } catch (error) {
    await dispose();
    throw error;
  }
}

/** Gives the files of a layout their places; only names that are digests become names on the host. */
async function openAsLayout(
  archive: StagedArchive,
  folder: string,
  { tag }: ArchiveReference,
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
  const target = await OciLayout.open(folder);
  return { target, image: await (tag === undefined ? target.resolveOnly() : target.resolve(tag)) };
}

async function openAsDocker(
  archive: StagedArchive,
  reference: ArchiveReference,
): Promise<Omit<OpenedArchive, keyof AsyncDisposable>> {
  if (reference.type === "oci-archive") {
    throw new ImageError({
      code: "OCI_ARCHIVE_CORRUPT",
      message: `cannot use ${formatImageReference(reference)}: it holds no image layout`,
      hint: "use docker-archive: for what docker save writes",
    });
  }
  const { target, images } = await readDockerArchive(archive);
  if (reference.tag !== undefined) {
    // Tools write tags short or in full; both are known by the full form.
    return { target, image: await target.resolve(namesOf(reference.tag).at(-1) ?? reference.tag) };
  }
  const [image] = images;
  if (image !== undefined && images.every(({ digest }) => digest === image.digest)) {
    return { target, image };
  }
  throw new OrasError({
    code: "OCI_AMBIGUOUS_REFERENCE",
    message: `cannot choose an image of ${reference.path}: it holds ${images.length} images`,
    hint: `name one: ${formatImageReference(reference)}:NAME`,
  });
}
