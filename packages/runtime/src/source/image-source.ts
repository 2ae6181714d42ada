import { isBoxError } from "@box/errors";
import type { TaskContext } from "@box/pipeline";
import type { LayerSource } from "@box/rootfs";
import type { ImageConfig } from "../boxes/box.ts";

/** What work on images and bases can tell, and what can stop it. */
export type Reporter = Pick<TaskContext, "signal" | "progress" | "info" | "warn" | "cached">;

/** When a registry is asked for an image that may be here already. */
export type PullPolicy = "missing" | "always" | "never";

/** Which image is wanted. */
export interface ImageRequest {
  /** Its reference, as the user gave it. */
  readonly reference: string;
  /** Digest of its manifest when the box knows it: exactly that image is wanted, whatever the tag says by now. */
  readonly digest?: string;
  /** When a registry is asked; `missing` by default. */
  readonly policy?: PullPolicy;
}

/** An image that is in the home, verified. */
export interface SourceImage {
  /** Its reference. */
  readonly reference: string;
  /** Digest of its manifest. */
  readonly digest: string;
  /** What it says about running its programs. */
  readonly config: ImageConfig;
  /** Its layers, lowest first. */
  readonly layers: readonly LayerSource[];
  /**
   * Takes those of its layers away that are not what their digests say, and fetches them again. Absent where it can be
   * fetched from nowhere.
   *
   * @returns The image, whole.
   */
  mend?(reporter: Reporter): Promise<SourceImage>;
}

/** Works on an image; once more, if its stored layers turn out to be damaged, when they have been fetched again. */
export async function withWholeLayers<Result>(
  image: SourceImage,
  reporter: Reporter,
  work: (image: SourceImage) => Promise<Result>,
): Promise<Result> {
  try {
    return await work(image);
  } catch (error) {
    if (image.mend === undefined || !isDamage(error)) throw error;
  }
  return work(await image.mend(reporter));
}

/** Whether something failed because of what is stored of an image. */
export function isDamage(error: unknown): boolean {
  return isBoxError(error) && damageCodes.has(error.code);
}

/** A blob that is not what its name says, or that somebody has taken away who found it to be so. */
const damageCodes: ReadonlySet<string> = new Set([
  "OCI_DIGEST_MISMATCH",
  "OCI_SIZE_MISMATCH",
  "OCI_NOT_FOUND",
]);

/**
 * Where images come from: the seam between boxes and registries.
 *
 * Getting an image may take long, is safe in several processes at once, and leaves nothing half-made when it fails.
 */
export interface ImageSource {
  /** The full name of an image, which means the same from every folder. Throws when it is no reference. */
  nameOf(reference: string): Promise<string>;
  /** Makes sure that an image is in the home. */
  ensureImage(request: ImageRequest, reporter: Reporter): Promise<SourceImage>;
  /** Makes sure that box's own bootstrap image is in the home; needs no network. */
  ensureBootstrapImage(reporter: Reporter): Promise<SourceImage>;
}
