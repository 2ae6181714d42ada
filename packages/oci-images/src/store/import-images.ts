import { isBoxError } from "@box/errors";
import {
  type Descriptor,
  type Digest,
  type NamedEntry,
  namesOf,
  OciLayout,
  OrasError,
  pinnedDigest,
  type ReadonlyTarget,
} from "@box/oras";
import { openArchive } from "../archive/open-archive.ts";
import type { ArchiveInput } from "../archive/plain-archive.ts";
import type { Image } from "../image/image.ts";
import type { LayerLimits } from "../layer/open-layer.ts";
import { formatImageReference, parseImageReference } from "../reference/image-reference.ts";
import { chooseImported } from "./choose-imported.ts";
import { type FetchImageOptions, fetchImage } from "./fetch-image.ts";
import type { ImageSource } from "./image-source.ts";

/** Options of {@link importImages}. */
export interface ImportImagesOptions extends FetchImageOptions {
  /** A folder for temporary files, on the layout's file system. */
  readonly folder: string;
  /** How far an archive may expand that is compressed or comes as a stream; as layers may unless given. */
  readonly layerLimits?: Partial<LayerLimits>;
  /** The name of the only image; the archive's own names unless given. */
  readonly name?: string;
}

/**
 * Brings all images of an archive, or of an image layout's folder, into a layout, under the names that they have
 * there.
 *
 * @returns The images by all their names, in the archive's order.
 * @throws OrasError `OCI_ARCHIVE_CORRUPT`, and `OCI_AMBIGUOUS_REFERENCE` for an image without a name, or a name for
 * several; `OCI_NOT_FOUND` where there is no image; `OCI_DIGEST_MISMATCH` for a wanted name that pins another digest; what {@link fetchImage} throws.
 */
export async function importImages(
  input: ArchiveInput | OciLayout,
  layout: OciLayout,
  options: ImportImagesOptions,
): Promise<Image[]> {
  await using opened = await openInput(input, options);
  const { target } = opened;
  if (opened.images.length === 0) throw holdsNothing(target);
  const images = await chooseImported(target, opened.images, options);
  const named = images.map((image) => ({ ...image, names: namesFor(image, images, options.name) }));
  const imported: Image[] = [];
  for (const { descriptor, names } of named) {
    const [first = "", ...otherNames] = names;
    const source: ImageSource = {
      target,
      selector: descriptor.digest,
      name: first,
      isLocal: true,
      pinned: pinnedDigest(first),
      [Symbol.asyncDispose]: async () => {},
    };
    const image = await fetchImage(source, layout, { ...options, otherNames });
    imported.push(...names.map((reference) => ({ ...image, reference })));
  }
  return imported;
}

interface OpenedImages extends AsyncDisposable {
  readonly target: ReadonlyTarget;
  readonly images: readonly NamedEntry[];
}

async function openInput(
  input: ArchiveInput | OciLayout,
  options: ImportImagesOptions,
): Promise<OpenedImages> {
  if (!(input instanceof OciLayout)) {
    const opened = await openArchive(input, options);
    return { ...opened, images: opened.target.images };
  }
  const { manifests } = await input.index();
  return {
    target: input,
    images: manifests.map((descriptor) => ({ descriptor, names: namesOf(descriptor) })),
    [Symbol.asyncDispose]: async () => {},
  };
}

/** The full names of an image: the one that was asked for, else those of the archive that can be one. */
function namesFor(
  image: NamedEntry,
  all: readonly NamedEntry[],
  wanted: string | undefined,
): readonly string[] {
  const { digest } = image.descriptor;
  if (wanted !== undefined) {
    if (all.some(({ descriptor }) => descriptor.digest !== digest)) throw cannotName(all.length);
    return [wanted];
  }
  const names = new Set(image.names.flatMap(fullName).filter((name) => fits(name, digest)));
  if (names.size === 0) throw hasNoName(image.descriptor);
  return [...names];
}

/** A name that pins another digest would stand for content that is not here. */
function fits(name: string, digest: Digest): boolean {
  return (pinnedDigest(name) ?? digest) === digest;
}

/** A bare word is a tag without a name, as image layouts often have it. */
function fullName(name: string): readonly string[] {
  if (!/[:/]/.test(name)) return [];
  try {
    const parsed = parseImageReference(name);
    return parsed.type === "registry" ? [formatImageReference(parsed)] : [];
  } catch (error) {
    if (isBoxError(error)) return [];
    throw error;
  }
}

function holdsNothing({ place = "the archive" }: ReadonlyTarget): OrasError {
  return new OrasError({
    code: "OCI_NOT_FOUND",
    message: `cannot import from ${place}: it holds no image`,
    hint: "check that it is the one that you mean",
  });
}

function cannotName(count: number): OrasError {
  return new OrasError({
    code: "OCI_AMBIGUOUS_REFERENCE",
    message: `cannot give one name to ${count} images`,
    hint: "leave the name out: each image keeps the names that it has in the archive",
  });
}

function hasNoName({ digest }: Descriptor): OrasError {
  return new OrasError({
    code: "OCI_AMBIGUOUS_REFERENCE",
    message: `cannot import image ${digest}: it has no name that can be kept`,
    hint: "give it one: box import FILE --tag NAME",
  });
}
