import { type Descriptor, ImageArchive, type OperationOptions, OrasError } from "@box/oras";
import type { ImageLimits } from "../image/image.ts";
import type { LayerLimits } from "../layer/open-layer.ts";
import {
  formatImageReference,
  type ImageReference,
  parseImageReference,
} from "../reference/image-reference.ts";
import { type ArchiveInput, type PlainArchive, plainArchive } from "./plain-archive.ts";

/** Options of {@link openArchive}. */
export interface OpenArchiveOptions extends OperationOptions {
  /** A folder for temporary files. */
  readonly folder: string;
  /** How far an archive may expand that is compressed or comes as a stream; as layers may unless given. */
  readonly layerLimits?: Partial<LayerLimits>;
  /** How large documents may be. */
  readonly limits?: Partial<ImageLimits>;
}

/** An archive that is open, and what it was made readable by. */
export interface OpenedArchive extends AsyncDisposable {
  /** Its content. */
  readonly target: ImageArchive;
}

type ArchiveReference = ImageReference & { type: "oci-archive" | "docker-archive" };

/**
 * Opens an image archive: a packed image layout, or what `docker save` writes. One that is both is read as a layout. It
 * may be compressed, and may come as a stream.
 *
 * @throws ImageError `OCI_LAYER_TOO_LARGE`; OrasError `OCI_ARCHIVE_CORRUPT`, `OCI_NOT_FOUND` and those of
 * `ImageArchive.open`; IoError.
 */
export async function openArchive(
  input: ArchiveInput,
  options: OpenArchiveOptions,
): Promise<OpenedArchive> {
  const plain = await plainArchive(input, options);
  try {
    const { limits = {}, signal } = options;
    const target = await ImageArchive.open(plain.path, { what: plain.what, limits, signal });
    return { target, [Symbol.asyncDispose]: () => dispose(target, plain) };
  } catch (error) {
    await plain[Symbol.asyncDispose]();
    throw error;
  }
}

/**
 * Finds the image that a reference means; never the first of several.
 *
 * @throws OrasError `OCI_NOT_FOUND`, `OCI_AMBIGUOUS_REFERENCE`, `OCI_ARCHIVE_CORRUPT`.
 */
export async function chooseArchived(
  archive: ImageArchive,
  reference: ArchiveReference,
): Promise<Descriptor> {
  if (archive.form === "docker" && reference.type === "oci-archive") {
    throw new OrasError({
      code: "OCI_ARCHIVE_CORRUPT",
      message: `cannot use ${formatImageReference(reference)}: it holds no image layout`,
      hint: "use docker-archive: for what docker save writes",
    });
  }
  const { tag } = reference;
  if (tag === undefined) return archive.resolveOnly();
  // Tools write tags short or in full; both are known by the full form.
  const full = fullNameOf(tag);
  const known = archive.images.filter(({ names }) => names.some((one) => fullNameOf(one) === full));
  const first = known[0]?.descriptor;
  const isOne = known.every(({ descriptor }) => descriptor.digest === first?.digest);
  return archive.form === "docker" && first !== undefined && isOne ? first : archive.resolve(tag);
}

async function dispose(target: ImageArchive, plain: PlainArchive): Promise<void> {
  try {
    await target.close();
  } finally {
    await plain[Symbol.asyncDispose]();
  }
}

/** A tag in its full form, as far as it has one. */
function fullNameOf(tag: string): string {
  try {
    return formatImageReference(parseImageReference(tag));
  } catch (error) {
    if (error instanceof OrasError) return tag;
    throw error;
  }
}
