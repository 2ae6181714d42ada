import { createCipheriv } from "node:crypto";
import { mkdir, open, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Readable } from "node:stream";
import { createGzip } from "node:zlib";
import { type Descriptor, Digester, mediaTypes } from "@box/oras";

const stepBytes = 1024 * 1024;

/** A layer's archive, made as it is read. */
type Content = () => AsyncIterable<Uint8Array>;

/** Bytes that do not compress, the same each time. */
function random(mebibytes: number): Content {
  return async function* () {
    const cipher = createCipheriv("aes-128-ctr", new Uint8Array(16), new Uint8Array(16));
    const zeros = new Uint8Array(stepBytes);
    for (let step = 0; step < mebibytes; step++) yield cipher.update(zeros);
  };
}

/** Lines that compress about ten times. */
function compressible(mebibytes: number): Content {
  return async function* () {
    for (let step = 0; step < mebibytes; step++) {
      const bytes = new Uint8Array(stepBytes);
      for (let at = 0; at < stepBytes; at += 64) {
        const line = `${step}/${at} ${"well-compressible ".repeat(3)}\n`;
        Buffer.from(bytes.buffer, at, 64).write(line);
      }
      yield bytes;
    }
  };
}

/**
 * Writes an image of two large layers into a new image layout, under the tag `v1`: plain bytes that do not compress, and a
 * gzip blob of others that compress well. Its archives are no tar: it can be moved, and not unpacked.
 */
export async function writeLargeLayout(folder: string, mebibytes: number): Promise<void> {
  const blobs = join(folder, "blobs", "sha256");
  await mkdir(blobs, { recursive: true });
  const put = async (mediaType: string, content: Content): Promise<Descriptor> => {
    const digester = new Digester();
    const path = join(blobs, "new");
    await using file = await open(path, "w");
    let size = 0;
    for await (const chunk of content()) {
      digester.update(chunk);
      await file.write(chunk, 0, chunk.byteLength, size);
      size += chunk.byteLength;
    }
    const digest = digester.digest();
    await rename(path, join(blobs, digest.slice("sha256:".length)));
    return { mediaType, digest, size };
  };
  const digestOf = async (content: Content) => {
    const digester = new Digester();
    for await (const chunk of content()) digester.update(chunk);
    return digester.digest();
  };
  const archives = [random(mebibytes), compressible(mebibytes)] as const;
  const gzipped: Content = () =>
    Readable.from(archives[1]()).pipe(createGzip({ level: 1, chunkSize: stepBytes }));
  const layers = [
    await put(mediaTypes.ociLayer, archives[0]),
    await put(mediaTypes.ociLayerGzip, gzipped),
  ];
  const diffIds = [layers[0]?.digest, await digestOf(archives[1])];
  const putJson = async (mediaType: string, value: object): Promise<Descriptor> => {
    const bytes = new TextEncoder().encode(JSON.stringify(value));
    return put(mediaType, async function* () {
      yield bytes;
    });
  };
  const architecture = process.arch === "x64" ? "amd64" : process.arch;
  const rootfs = { type: "layers", diff_ids: diffIds };
  const config = await putJson(mediaTypes.ociConfig, { os: "linux", architecture, rootfs });
  const mediaType = mediaTypes.ociManifest;
  const manifest = await putJson(mediaType, { schemaVersion: 2, mediaType, config, layers });
  const annotations = { "org.opencontainers.image.ref.name": "v1" };
  const index = { schemaVersion: 2, manifests: [{ ...manifest, annotations }] };
  await writeFile(join(folder, "index.json"), JSON.stringify(index));
  await writeFile(join(folder, "oci-layout"), JSON.stringify({ imageLayoutVersion: "1.0.0" }));
}
