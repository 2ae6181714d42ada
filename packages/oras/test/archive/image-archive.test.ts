import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { MemoryFile } from "@box/io";
import {
  type ArchiveFormat,
  attach,
  copy,
  copyGraph,
  createArchive,
  type Descriptor,
  digestOf,
  discover,
  extendedCopy,
  fetchManifestBytes,
  ImageArchive,
  MemoryTarget,
  mediaTypes,
  OciLayout,
  type ReadonlyTarget,
  RemoteRepository,
  streamArchive,
} from "@box/oras";
import { serveRegistry } from "@box/oras/registry-server";
import { drain } from "@box/test-support";
import { describe, expect, onTestFinished, test } from "vitest";
import { expectCode } from "../expect-code.ts";
import { add, encodeJson, noise, type SampleImage, sampleImage } from "../sample-image.ts";
import { temporaryFolder } from "../temporary-folder.ts";
import { testClient } from "../test-client.ts";

const image = await sampleImage([10_240, 3_000_000, 10_240]);
const formats: readonly ArchiveFormat[] = [
  "oci-archive",
  "docker-archive",
  "docker-archive-legacy",
];

async function archivePath(): Promise<string> {
  return join(await temporaryFolder(), "image.tar");
}

async function opened(source: string | Uint8Array): Promise<ImageArchive> {
  const file = typeof source === "string" ? source : new MemoryFile(source);
  const archive = await ImageArchive.open(file);
  onTestFinished(() => archive.close());
  return archive;
}

/** Writes an image into an archive under a name. */
async function written(
  source: ReadonlyTarget,
  format: ArchiveFormat,
  reference = "v1",
): Promise<string> {
  const path = await archivePath();
  await createArchive(path, (archive) => copy(source, reference, archive, "team/app:v1"), {
    format,
  });
  return path;
}

async function expectSameContent(target: ReadonlyTarget, { target: memory }: SampleImage) {
  for (const blob of [image.config, ...image.layers]) {
    expect(await target.exists(blob)).toBe(true);
    expect(await drain(target.fetch(blob))).toEqual(await drain(memory.fetch(blob)));
  }
}

async function registry(): Promise<RemoteRepository> {
  const served = await serveRegistry();
  onTestFinished(() => served.close());
  return new RemoteRepository(testClient(), served.host, "team/app");
}

describe.each(formats)("an image copied into an archive of the form %s", (format) => {
  const isLegacy = format === "docker-archive-legacy";

  test("is read back from it byte for byte, into memory, a layout and a registry", async () => {
    const archive = await opened(await written(image.target, format));
    expect(archive.form).toBe(isLegacy ? "docker" : "layout");
    await expectSameContent(archive, image);
    const destinations = [
      new MemoryTarget(),
      await OciLayout.ensure(join(await temporaryFolder(), "layout")),
      await registry(),
    ];
    for (const destination of destinations) {
      const root = await copy(archive, "team/app:v1", destination, "v1");
      // Old archives have no manifests: the one that is made has the same parts.
      if (!isLegacy) expect(root.digest).toBe(image.root.digest);
      const bytes = await fetchManifestBytes(destination, root);
      const manifest = JSON.parse(new TextDecoder().decode(bytes));
      expect(manifest.layers.map((layer: Descriptor) => layer.digest)).toEqual(
        image.layers.map(({ digest }) => digest),
      );
      expect(manifest.config.digest).toBe(image.config.digest);
      await expectSameContent(destination, image);
    }
  });

  test("gives the same archive from each source, and again from itself", async () => {
    const repository = await registry();
    await copy(image.target, "v1", repository);
    const layout = await OciLayout.ensure(join(await temporaryFolder(), "layout"));
    await copy(image.target, "v1", layout);
    const first = await readFile(await written(image.target, format));
    for (const source of [repository, layout]) {
      expect(first.equals(await readFile(await written(source, format)))).toBe(true);
    }
    const again = await written(await opened(new Uint8Array(first)), format, "team/app:v1");
    expect(first.equals(await readFile(again))).toBe(true);
  });

  test("is the same as a stream, whose reader may stop", async () => {
    const fill = (archive: Parameters<typeof copy>[2]) =>
      copy(image.target, "v1", archive, "team/app:v1");
    const file = await readFile(await written(image.target, format));
    expect(file.equals(await drain(streamArchive(fill, { format })))).toBe(true);
    let chunks = 0;
    for await (const _chunk of streamArchive(fill, { format })) if (++chunks === 3) break;
    expect(chunks).toBe(3);
  });

  test("is found by its name, its digest, or as the only one", async () => {
    const archive = await opened(await written(image.target, format));
    const root = await archive.resolve("team/app:v1");
    expect(await archive.resolveOnly()).toEqual(root);
    expect((await archive.resolve(root.digest)).digest).toBe(root.digest);
    const error = await expectCode(archive.resolve("other:v1"), "OCI_NOT_FOUND");
    expect(error.hint).toContain("team/app:v1");
  });

  test("does not get a file when copying fails, nor over another one", async () => {
    const path = await archivePath();
    const failing = createArchive(
      path,
      async (archive) => {
        await copy(image.target, "v1", archive, "team/app:v1");
        throw new Error("stopped");
      },
      { format },
    );
    await expect(failing).rejects.toThrow("stopped");
    expect(await readdir(join(path, ".."))).toEqual([]);
    await writeFile(path, "old");
    const fill = (archive: Parameters<typeof copy>[2]) =>
      copy(image.target, "v1", archive, "team/app:v1");
    await expectCode(createArchive(path, fill, { format }), "IO_EXISTS");
    expect(await readFile(path, "utf8")).toBe("old");
    const root = await createArchive(path, fill, { format, overwrite: true });
    expect(root).toEqual(image.root);
    await expectSameContent(await opened(path), image);
  });
});

describe("an archive", () => {
  test("keeps indexes, artifacts and what is attached, as a layout", async () => {
    const target = new MemoryTarget();
    await copy(image.target, "v1", target);
    const index = await add(
      target,
      mediaTypes.ociIndex,
      encodeJson({ schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests: [image.root] }),
    );
    await target.tag(index, "all");
    const signature = await attach(target, index, { artifactType: "application/x-signature" });
    const path = await archivePath();
    await createArchive(path, (archive) => extendedCopy(target, "all", archive, "app:all"));
    const archive = await opened(path);
    expect(archive.images.map(({ names }) => names)).toEqual([["app:all", "all"]]);
    expect((await archive.resolveOnly()).digest).toBe(index.digest);
    const found = await discover(archive, index);
    expect(found.map(({ descriptor }) => descriptor.digest)).toEqual([signature.digest]);
    expect((await archive.resolve(signature.digest)).mediaType).toBe(mediaTypes.ociManifest);
    const back = new MemoryTarget();
    await extendedCopy(archive, "app:all", back);
    expect(await discover(back, index)).toHaveLength(1);
  });

  test("lists what has no name and could not be found otherwise", async () => {
    const path = await archivePath();
    await createArchive(path, (archive) => copyGraph(image.target, image.root, archive));
    const archive = await opened(path);
    expect(archive.images).toEqual([{ descriptor: image.root, names: [] }]);
    expect(await archive.resolveOnly()).toEqual(image.root);
  });

  test("of several images never gives the first for any", async () => {
    const other = await sampleImage([500]);
    const path = await archivePath();
    await createArchive(
      path,
      async (archive) => {
        await copy(image.target, "v1", archive, "a:v1");
        await copy(other.target, "v1", archive, "b:v1");
        await archive.tag(other.root, "b:v2");
      },
      { format: "docker-archive" },
    );
    const archive = await opened(path);
    expect((await archive.resolve("b:v2")).digest).toBe(other.root.digest);
    await expectCode(archive.resolveOnly(), "OCI_AMBIGUOUS_REFERENCE");
    // Both have this tag, as tools name images in layouts.
    await expectCode(archive.resolve("v1"), "OCI_AMBIGUOUS_REFERENCE");
    const listing = await readMember(path, "manifest.json");
    expect(listing).toMatchObject([{ RepoTags: ["a:v1"] }, { RepoTags: ["b:v1", "b:v2"] }]);
  });

  test("of Docker takes no index, and an old one no artifact and no bare name", async () => {
    const target = new MemoryTarget();
    await copy(image.target, "v1", target);
    const index = { schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests: [image.root] };
    await target.tag(await add(target, mediaTypes.ociIndex, encodeJson(index)), "all");
    await target.tag(await attach(target, image.root, { artifactType: "a/b" }), "artifact");
    const copied = async (reference: string, format: ArchiveFormat, name: string) =>
      createArchive(await archivePath(), (archive) => copy(target, reference, archive, name), {
        format,
      });
    await expectCode(copied("all", "docker-archive", "a:all"), "ORAS_UNSUPPORTED");
    await expectCode(copied("all", "docker-archive-legacy", "a:all"), "ORAS_UNSUPPORTED");
    await expectCode(copied("artifact", "docker-archive-legacy", "a:b"), "ORAS_UNSUPPORTED");
    await expectCode(copied("v1", "docker-archive-legacy", "v1"), "OCI_INVALID_REFERENCE");
    await copied("artifact", "docker-archive", "bare");
  });

  test("gives back the memory of chunks that were made for it, and no other", async () => {
    const bytes = noise(3_000_000);
    const descriptor = { mediaType: "x/y", digest: digestOf(bytes), size: bytes.byteLength };
    for (const ownsNoChunks of [true, false]) {
      const chunks: Uint8Array[] = [];
      for await (const chunk of chunksOf(bytes)) chunks.push(chunk);
      const open = async () =>
        (async function* () {
          yield* chunks;
        })();
      await createArchive(await archivePath(), (archive) =>
        archive.push(descriptor, { open, ownsNoChunks }),
      );
      const left = chunks.reduce((sum, { byteLength }) => sum + byteLength, 0);
      expect(left).toBe(ownsNoChunks ? 0 : bytes.byteLength);
      const streamed = [bytes.slice()];
      const once = async () =>
        (async function* () {
          yield* streamed;
        })();
      await drain(
        streamArchive((archive) => archive.push(descriptor, { open: once, ownsNoChunks })),
      );
      expect(streamed[0]).toEqual(bytes);
    }
  });

  test("fetches wrong content once more, and goes on without it when it stays wrong", async () => {
    const bytes = noise(2_000_000);
    const descriptor = {
      mediaType: mediaTypes.ociLayer,
      digest: digestOf(bytes),
      size: bytes.byteLength,
    };
    const wrong = bytes.slice();
    wrong[1_500_000] = (wrong[1_500_000] ?? 0) ^ 1;
    let tries = 0;
    const source = (good: number) => ({
      open: async () => chunksOf(++tries >= good ? bytes : wrong),
    });
    const path = await archivePath();
    await createArchive(path, async (archive) => {
      await expectCode(archive.push(descriptor, source(3)), "OCI_DIGEST_MISMATCH");
      expect([tries, await archive.exists(descriptor)]).toEqual([2, false]);
      tries = 0;
      await archive.push(descriptor, source(2));
      await archive.push(descriptor, source(9));
      expect([tries, await archive.exists(descriptor)]).toEqual([2, true]);
      const short = { ...descriptor, digest: digestOf(noise(3)), size: 4 };
      const three = { open: async () => chunksOf(noise(3)) };
      await expectCode(archive.push(short, three), "OCI_SIZE_MISMATCH");
      await expectCode(archive.tag(descriptor, "a:b"), "OCI_NOT_FOUND");
    });
    const archive = await opened(path);
    expect(await drain(archive.fetch(descriptor))).toEqual(bytes);
    const rest = await drain(archive.fetch(descriptor, { offset: 1_999_990 }));
    expect(rest).toEqual(bytes.subarray(1_999_990));
    const larger = { ...descriptor, size: descriptor.size + 1 };
    expect(await archive.exists(larger)).toBe(false);
    await expectCode(archive.fetch(larger), "OCI_SIZE_MISMATCH");
  });

  test("as a stream fails as its source does, and takes nothing after that", async () => {
    const [layer] = image.layers;
    if (layer === undefined) throw new Error("the sample has layers");
    const wrong = { open: async () => chunksOf(new Uint8Array(layer.size)) };
    const reading = drain(
      streamArchive(async (archive) => {
        await expectCode(archive.push(layer, wrong), "OCI_DIGEST_MISMATCH");
        await copy(image.target, "v1", archive);
      }),
    );
    await expectCode(reading, "OCI_DIGEST_MISMATCH");
  });

  test("is not opened when an aborted signal says so, and a copy stops", async () => {
    const signal = AbortSignal.abort();
    const path = await written(image.target, "docker-archive-legacy");
    await expectCode(ImageArchive.open(path, { signal }), "ORAS_ABORTED");
    const stopped = createArchive(
      await archivePath(),
      (archive) => copy(image.target, "v1", archive, "a:b", { signal }),
      { signal },
    );
    await expectCode(stopped, "ORAS_ABORTED");
  });

  test("limits manifests", async () => {
    const fill = (archive: Parameters<typeof copy>[2]) =>
      copyGraph(image.target, image.root, archive);
    const small = { maxManifestBytes: 100 };
    await expectCode(createArchive(await archivePath(), fill, small), "OCI_TOO_LARGE");
  });
});

async function* chunksOf(bytes: Uint8Array): AsyncGenerator<Uint8Array, void, undefined> {
  for (let at = 0; at < bytes.byteLength; at += 700_000) yield bytes.slice(at, at + 700_000);
}

/** A JSON file of an archive, found the plain way. */
async function readMember(path: string, name: string): Promise<unknown> {
  const bytes = await readFile(path);
  for (let at = 0; at < bytes.byteLength; at += 512) {
    const size = Number.parseInt(bytes.toString("latin1", at + 124, at + 135), 8);
    if (bytes.toString("latin1", at, at + name.length + 1) === `${name}\0`) {
      return JSON.parse(bytes.toString("utf8", at + 512, at + 512 + size));
    }
    at += Math.ceil(size / 512) * 512;
  }
  throw new Error(`no ${name}`);
}
