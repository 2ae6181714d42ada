import { createHash } from "node:crypto";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";

/**
 * Writes an image of layers, lowest first, into a new OCI layout, under the tag `latest`.
 *
 * @param layerType - What the layers are called, rightly or not.
 * @param diffId - What the config says that each layer unpacks to; the layer itself unless given.
 */
export async function writeOciLayout(
  folder: string,
  archives: readonly Uint8Array[],
  layerType = "application/vnd.oci.image.layer.v1.tar",
  diffId?: string,
): Promise<void> {
  const blobs = join(folder, "blobs", "sha256");
  await mkdir(blobs, { recursive: true });
  const put = async (mediaType: string, bytes: Uint8Array) => {
    const digest = createHash("sha256").update(bytes).digest("hex");
    await writeFile(join(blobs, digest), bytes);
    return { mediaType, digest: `sha256:${digest}`, size: bytes.byteLength };
  };
  const putJson = (mediaType: string, value: unknown) =>
    put(mediaType, Buffer.from(JSON.stringify(value)));
  const layers = [];
  for (const archive of archives) {
    layers.push(await put(layerType, archive));
  }
  const config = await putJson("application/vnd.oci.image.config.v1+json", {
    architecture: "amd64",
    os: "linux",
    config: {},
    rootfs: { type: "layers", diff_ids: layers.map((layer) => diffId ?? layer.digest) },
    history: layers.map(() => ({})),
  });
  const mediaType = "application/vnd.oci.image.manifest.v1+json";
  const manifest = await putJson(mediaType, { schemaVersion: 2, mediaType, config, layers });
  const annotations = { "org.opencontainers.image.ref.name": "latest" };
  await writeFile(
    join(folder, "index.json"),
    JSON.stringify({ schemaVersion: 2, manifests: [{ ...manifest, annotations }] }),
  );
  await writeFile(join(folder, "oci-layout"), JSON.stringify({ imageLayoutVersion: "1.0.0" }));
}
