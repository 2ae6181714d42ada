import type { RandomAccess } from "@box/io";
import {
  checkImage,
  checkStructure,
  inspectImage,
  type OpenImageOptions,
  openImage,
  type Qcow2Image,
} from "@box/qcow2";

/** Everything that only looks at an image, by name; each opens the image anew. */
export const looks: Readonly<
  Record<string, (source: RandomAccess, options: OpenImageOptions) => Promise<unknown>>
> = {
  inspect: (source, { signal }) => inspectImage(source, signal ? { signal } : {}),
  checkStructure: (source, { signal }) => checkStructure(source, signal ? { signal } : {}),
  check: (source, { signal }) => checkImage(source, signal ? { signal } : {}),
  open: (source, options) => withImage(source, options, async () => {}),
  read: (source, options) =>
    withImage(source, options, (image) => image.read(0, Math.min(65536, image.sizeBytes))),
  "read as qemu": (source, options) =>
    withImage(source, { ...options, compat: "qemu" }, (image) =>
      image.read(0, Math.min(65536, image.sizeBytes)),
    ),
  describe: (source, options) => withImage(source, options, (image) => image.describe()),
  map: (source, options) =>
    withImage(source, options, async (image) => {
      let seen = 0;
      const length = Math.min(2 ** 24, image.sizeBytes);
      for await (const _ of image.extents({ length })) if (++seen === 10_000) break;
    }),
  snapshot: (source, options) =>
    withImage(source, options, async (image) => {
      const [first] = await image.snapshots();
      if (first === undefined) return;
      const snapshot = await image.openSnapshot(first.id);
      await snapshot.read(0, Math.min(65536, snapshot.sizeBytes));
    }),
};

async function withImage(
  source: RandomAccess,
  options: OpenImageOptions,
  use: (image: Qcow2Image) => Promise<unknown>,
): Promise<void> {
  await using image = await openImage(source, options);
  await use(image);
}
