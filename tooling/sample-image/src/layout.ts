import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { buildSampleImage, type SampleImage } from "./image.ts";

/**
 * Writes the sample image as an OCI image layout that `oci:DIR:TAG` names.
 *
 * @param directory - A new or empty folder; it is created with its parents.
 * @returns The image that was written.
 */
export async function writeSampleLayout(directory: string, tag: string): Promise<SampleImage> {
  const image = buildSampleImage();
  const blobFolder = join(directory, "blobs", "sha256");
  await mkdir(blobFolder, { recursive: true });
  for (const [digest, bytes] of image.blobs) {
    await writeFile(join(blobFolder, digest.replace("sha256:", "")), bytes);
  }
  const annotations = { "org.opencontainers.image.ref.name": tag };
  await writeJson(join(directory, "index.json"), {
    schemaVersion: 2,
    manifests: [{ ...image.index, annotations }],
  });
  await writeJson(join(directory, "oci-layout"), { imageLayoutVersion: "1.0.0" });
  return image;
}

async function writeJson(path: string, value: object): Promise<void> {
  await writeFile(path, JSON.stringify(value));
}
