import type { Image, ImageStore } from "@box/oci-images";
import { isDamage, type Reporter } from "./image-source.ts";

/** What {@link withWholeImage} works with. */
export interface WholeImageOptions {
  /** What it was asked for by. */
  readonly reference: string;
  /** Gives the image, and fetches what is not there. */
  readonly pull: () => Promise<Image>;
  /** Whether it may be fetched: damage is only told otherwise. */
  readonly isFetchable: boolean;
  /** What stops it, and is told what is put right. */
  readonly reporter: Pick<Reporter, "signal" | "warn">;
}

/** Works on an image of a store; once more, if its stored layers turn out to be damaged, when they have been fetched again. */
export async function withWholeImage<Result>(
  store: ImageStore,
  options: WholeImageOptions,
  work: (image: Image) => Promise<Result>,
): Promise<Result> {
  const { reference, pull, isFetchable, reporter } = options;
  const image = await pull();
  try {
    return await work(image);
  } catch (error) {
    if (!isFetchable || !isDamage(error)) throw error;
  }
  const { mendImage } = await import("./mend-image.ts");
  return work(await mendImage(store, image, reference, reporter, pull));
}
