import { realpath } from "node:fs/promises";
import { join } from "node:path";
import { errnoOf, toIoError } from "@box/io/node";
import { type DiskRole, type RootfsRecipe, resolveRecipe } from "@box/rootfs";
import type { BoxRecord, DiskBase } from "../boxes/box.ts";
import { RuntimeError } from "../errors.ts";
import type { InitServices } from "../init/services.ts";
import type { ImageSource, Reporter, SourceImage } from "../source/image-source.ts";

/** What a lost base is made from again. */
export interface BaseSource {
  /** Gives the recorded key. */
  readonly recipe: RootfsRecipe;
  /** The image that it is made from, in the home. */
  readonly image: SourceImage;
  /** The only content that is accepted. */
  readonly digest: string;
}

/**
 * Finds what a recorded base is made from: the image by its recorded digest, from the store or from where its reference
 * points to; box's own bootstrap image is assembled. Makes nothing.
 *
 * @throws RuntimeError `BOX_BASE_FOREIGN` when it is none of this home's, `BOX_BASE_CHANGED` when another base would come of
 * it; errors of images.
 */
export async function sourceOfBase(
  { home, source }: Pick<InitServices, "home" | "source">,
  box: BoxRecord,
  { role, base }: { readonly role: DiskRole; readonly base: DiskBase },
  reporter: Reporter,
): Promise<BaseSource> {
  const { key, digest, path } = base;
  const isOurs = path === join(await canonical(home.bases), `${key}.ext4`);
  if (key === undefined || digest === undefined || !isOurs) throw foreign(box, role, base);
  const image = await imageOf(source, box, role, reporter);
  // The same recipes as those of the init pipeline: layers, and nothing else.
  const recipe = { layers: image.layers };
  const found = resolveRecipe(recipe).key;
  if (found !== key) throw changed(box, role, base, found);
  return { recipe, image, digest };
}

/** Overlays name their bases by canonical paths, whatever links lead to the folder. */
async function canonical(path: string): Promise<string> {
  try {
    return await realpath(path);
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return path;
    throw toIoError(error, { action: "cannot look at the folder of bases", path });
  }
}

function imageOf(
  source: ImageSource,
  { image, guestRootfs }: BoxRecord,
  role: DiskRole,
  reporter: Reporter,
): Promise<SourceImage> {
  if (role === "user") return source.ensureImage(image, reporter);
  if (guestRootfs.type === "initramfs") throw new Error("an initramfs has no disk");
  const { reference, imageDigest: digest } = guestRootfs;
  if (reference === undefined) return source.ensureBootstrapImage(reporter);
  return source.ensureImage({ reference, ...(digest === undefined ? {} : { digest }) }, reporter);
}

function foreign({ name }: BoxRecord, disk: DiskRole, { path }: DiskBase): RuntimeError {
  return new RuntimeError({
    code: "BOX_BASE_FOREIGN",
    message: `cannot make the base of the ${disk} disk of box ${name} again: ${path} was not made by this home`,
    details: { name, disk, path },
    hint: "put the file back at that path from where it came; the overlay was not touched",
  });
}

function changed(
  { name }: BoxRecord,
  disk: DiskRole,
  { path, key }: DiskBase,
  found: string,
): RuntimeError {
  return new RuntimeError({
    code: "BOX_BASE_CHANGED",
    message: `cannot make the base of the ${disk} disk of box ${name} again: its image gives base ${found} with this version of box, expected ${key}`,
    details: { name, disk, path, expected: key, found },
    hint: "restore it with the version of box that made it, or put the file back from a backup; the overlay was not touched",
  });
}
