import { createHash } from "node:crypto";
import { createWriteStream } from "node:fs";
import { mkdir, rename, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { createGzip } from "node:zlib";
import { type TarEntry, tarEnd, tarHeader, tarPadding } from "@box/tar";

/** How large an image to make. */
export interface SampleSize {
  /** Files of all layers together. */
  readonly files: number;
  /** Their content in bytes. */
  readonly bytes: number;
  /** Layers. */
  readonly layers: number;
  /** What else there is to it; the one called mixed unless given. */
  readonly shape?: SampleShape;
}

/** Of what an image consists; parts of one. */
export interface SampleShape {
  /** The part of the files that is in one directory. */
  readonly inOneDirectory: number;
  /** The part of the files that is in the lowest layer. */
  readonly lowestFiles: number;
  /** The part of the content that is in the lowest layer. */
  readonly lowestBytes: number;
  /** The part of an upper layer's files that replace one of the lowest layer. */
  readonly replacing: number;
  /** The part of the lowest layer's files that may be replaced. */
  readonly replaceable: number;
  /** The part of the files that no compression makes smaller. */
  readonly incompressible: number;
  /** How many words the text of the others is made of: the fewer, the smaller it gets. */
  readonly words: number;
}

/** A bit of everything. */
const mixed: SampleShape = {
  inOneDirectory: 0.25,
  lowestFiles: 0.6,
  lowestBytes: 0.6,
  replacing: 0.1,
  replaceable: 1,
  incompressible: 0.1,
  words: 4000,
};

/**
 * Like the image that the targets were set on, one with development tools of Debian: 1.32 GB of tar in 552 MB of gzip, of which
 * 783 MB are live, about 33,000 paths with one very large directory. With {@link developmentSize} it comes to 1.31 GB, 563 MB, 766 MB
 * and 33,662 paths; how much is in that directory was chosen so that mke2fs takes what it took there (23 s of CPU, umoci 20, gzip 6).
 */
const development: SampleShape = {
  inOneDirectory: 0.64,
  lowestFiles: 0.75,
  lowestBytes: 0.5,
  replacing: 1,
  replaceable: 0.1,
  incompressible: 0.065,
  words: 1200,
};

/** Files of all layers, three quarters of which are live, and MiB. */
export const developmentSize = { files: 44_000, megabytes: 1480 };

/** The shapes by their names. */
export const shapes: Readonly<Record<"mixed" | "development", SampleShape>> = {
  mixed,
  development,
};

const encoder = new TextEncoder();
const poolBytes = 16 * 2 ** 20;

/**
 * Writes an OCI layout of gzip layers with the tag `latest`: the same for the same size. One directory holds many
 * files; upper layers replace and remove some of what is below them.
 *
 * @returns The layers' blobs.
 */
export async function writeSampleImage(folder: string, size: SampleSize): Promise<string[]> {
  const blobs = join(folder, "blobs", "sha256");
  await mkdir(blobs, { recursive: true });
  const layers: { digest: string; size: number; diffId: string }[] = [];
  for (let layer = 0; layer < size.layers; layer++)
    layers.push(await writeLayer(blobs, layer, size));
  const put = async (mediaType: string, value: unknown) => {
    const bytes = Buffer.from(JSON.stringify(value));
    const digest = createHash("sha256").update(bytes).digest("hex");
    await writeFile(join(blobs, digest), bytes);
    return { mediaType, digest: `sha256:${digest}`, size: bytes.byteLength };
  };
  const config = await put("application/vnd.oci.image.config.v1+json", {
    architecture: process.arch === "arm64" ? "arm64" : "amd64",
    os: "linux",
    config: {},
    rootfs: { type: "layers", diff_ids: layers.map(({ diffId }) => diffId) },
  });
  const mediaType = "application/vnd.oci.image.manifest.v1+json";
  const manifest = await put(mediaType, {
    schemaVersion: 2,
    mediaType,
    config,
    layers: layers.map(({ digest, size: bytes }) => ({
      mediaType: "application/vnd.oci.image.layer.v1.tar+gzip",
      digest,
      size: bytes,
    })),
  });
  const annotations = { "org.opencontainers.image.ref.name": "latest" };
  const index = { schemaVersion: 2, manifests: [{ ...manifest, annotations }] };
  await writeFile(join(folder, "index.json"), JSON.stringify(index));
  await writeFile(join(folder, "oci-layout"), JSON.stringify({ imageLayoutVersion: "1.0.0" }));
  return layers.map(({ digest }) => join(blobs, digest.slice("sha256:".length)));
}

async function writeLayer(blobs: string, layer: number, size: SampleSize) {
  const temporary = join(blobs, `layer-${layer}`);
  const diff = createHash("sha256");
  const blob = createHash("sha256");
  await pipeline(
    tap(joinChunks(layerChunks(layer, size)), diff),
    createGzip({ chunkSize: 2 ** 20 }),
    (chunks: AsyncIterable<Uint8Array>) => tap(chunks, blob),
    createWriteStream(temporary),
  );
  const digest = blob.digest("hex");
  await rename(temporary, join(blobs, digest));
  const { size: bytes } = await stat(join(blobs, digest));
  return { digest: `sha256:${digest}`, size: bytes, diffId: `sha256:${diff.digest("hex")}` };
}

async function* tap(
  chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  hash: ReturnType<typeof createHash>,
): AsyncGenerator<Uint8Array> {
  for await (const chunk of chunks) {
    hash.update(chunk);
    yield chunk;
  }
}

function* joinChunks(chunks: Iterable<Uint8Array>): Generator<Uint8Array> {
  let waiting: Uint8Array[] = [];
  let bytes = 0;
  for (const chunk of chunks) {
    waiting.push(chunk);
    bytes += chunk.byteLength;
    if (bytes < 2 ** 20) continue;
    yield Buffer.concat(waiting);
    waiting = [];
    bytes = 0;
  }
  yield Buffer.concat(waiting);
}

/** A quick generator of numbers below 1, the same on every machine. */
function numbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Text that gzip makes four times smaller, and bytes that it cannot. */
function makePools(wordCount: number): { readonly text: Buffer; readonly random: Buffer } {
  const next = numbers(7);
  const words = Array.from({ length: wordCount }, () =>
    Math.floor(next() * 36 ** (2 + Math.floor(next() * 5))).toString(36),
  );
  const text = Buffer.alloc(poolBytes);
  for (let at = 0; at < poolBytes; ) {
    at += text.write(`${words[Math.floor(next() ** 2 * words.length)]} `, at, "latin1") || 1;
  }
  const random = Buffer.alloc(poolBytes);
  for (let at = 0; at < poolBytes; at += 4) random.writeUInt32LE(Math.floor(next() * 2 ** 32), at);
  return { text, random };
}

const pools = new Map<number, ReturnType<typeof makePools>>();

function* layerChunks(
  layer: number,
  { files, bytes, layers, shape = mixed }: SampleSize,
): Generator<Uint8Array> {
  const { inOneDirectory, lowestFiles, lowestBytes, incompressible, words } = shape;
  const { replacing, replaceable } = shape;
  const { text, random } = pools.get(words) ?? makePools(words);
  pools.set(words, { text, random });
  const next = numbers(layer + 1);
  const share = (lowest: number) => {
    if (layers === 1) return 1;
    return layer === 0 ? lowest : (1 - lowest) / (layers - 1);
  };
  const count = Math.round(files * share(lowestFiles));
  const average = (bytes * share(lowestBytes)) / count;
  const made = new Set<string>();
  for (let i = 0; i < count; i++) {
    const number =
      layer > 0 && next() < replacing
        ? Math.floor(next() * files * lowestFiles * replaceable)
        : layer * files + i;
    const folder =
      number % 100 < inOneDirectory * 100
        ? "var/lib/many"
        : `usr/share/d${Math.floor(number / 400)}/e${Math.floor(number / 20) % 20}`;
    for (let at = 0; at >= 0 && at < folder.length; ) {
      const slash = folder.indexOf("/", at + 1);
      const path = slash < 0 ? folder : folder.slice(0, slash);
      at = slash < 0 ? folder.length : slash;
      if (made.has(path)) continue;
      made.add(path);
      yield* entryChunks({ path: `${path}/`, type: "directory" }, 0);
    }
    if (layer > 0 && next() < 0.02) {
      yield* entryChunks(
        { path: `${folder}/.wh.file-${Math.floor(next() * files * lowestFiles)}.dat` },
        0,
      );
    }
    // Most files are small, a few are very large; the mean of exp(-2 log u) ** 0.4 is 1 / (1 - 0.8) = 5.
    const size = Math.floor((average * (1 - next()) ** -0.8) / 5);
    const path = `${folder}/file-${number}.dat`;
    if (number % 50 === 1) yield* entryChunks({ path, type: "symlink", target: "../target" }, 0);
    else {
      const pool = next() < 1 - incompressible ? text : random;
      yield* entryChunks({ path }, size);
      for (let left = size; left > 0; ) {
        const from = Math.floor(next() * (poolBytes - 2 ** 20));
        const taken = Math.min(left, 2 ** 20);
        yield pool.subarray(from, from + taken);
        left -= taken;
      }
      yield tarPadding(size);
    }
  }
  yield tarEnd();
}

function entryChunks(
  { path, type = "file", target = "" }: { path: string; type?: TarEntry["type"]; target?: string },
  sizeBytes: number,
): Uint8Array[] {
  return tarHeader({
    path: encoder.encode(path),
    type,
    mode: type === "directory" ? 0o755 : 0o644,
    uid: 0,
    gid: 0,
    sizeBytes,
    mtime: { seconds: 1_700_000_000, nanoseconds: 0 },
    linkPath: encoder.encode(target),
    deviceMajor: 0,
    deviceMinor: 0,
    xattrs: [],
  });
}
