import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type ArchiveFormat, type Image, ImageStore } from "@box/oci-images";
import { copy, copyGraph, digestOf, MemoryTarget, OciLayout } from "@box/oras";
import { TarParser } from "@box/tar";
import { drain } from "@box/test-support";
import { describe, expect, test } from "vitest";
import { expectCode } from "../expect-code.ts";
import { addImage, addIndex, noise } from "../sample-image.ts";
import { temporaryFolder } from "../temporary-folder.ts";

const platform = { os: "linux", architecture: "amd64" };
const name = "registry.test/team/app:v1";
const tars = [noise(5000, 1), noise(700_000, 2), noise(5000, 1)];

/** A store with one image, whose first and last layer are one. */
async function storeWithImage(): Promise<{ store: ImageStore; image: Image; folder: string }> {
  const folder = await temporaryFolder();
  const target = new MemoryTarget();
  await target.tag(await addImage(target, { tars }), "v1");
  const layout = await OciLayout.ensure(join(folder, "source"));
  await copy(target, "v1", layout);
  const store = await ImageStore.open(join(folder, "store"), { platform });
  const [image] = await store.import(layout, { name });
  if (image === undefined) throw new Error("nothing was imported");
  return { store, image, folder };
}

function pathsOf(archive: Uint8Array): string[] {
  const paths: string[] = [];
  const parser = new TarParser({
    entry: ({ path }) => paths.push(new TextDecoder().decode(path)),
    data: () => {},
    end: () => {},
  });
  parser.push(archive);
  parser.finish();
  return paths;
}

const formats: readonly ArchiveFormat[] = [
  "oci-archive",
  "docker-archive",
  "docker-archive-legacy",
];

describe.each(formats)("an image exported as %s", (format) => {
  test("is imported again under its name, from a file and from a stream", async () => {
    const { store, image, folder } = await storeWithImage();
    const bytes = await drain(store.export(name, { format, name }));
    const path = join(folder, "a.tar");
    await writeFile(path, bytes);
    const chunks = async function* () {
      for (let at = 0; at < bytes.byteLength; at += 1000) yield bytes.subarray(at, at + 1000);
    };
    const back = await ImageStore.open(join(folder, "back"), { platform });
    const inputs = [path, { chunks: chunks(), what: "stdin" }];
    for (const input of inputs) {
      const [imported, ...more] = await back.import(input);
      expect(more).toEqual([]);
      expect(imported?.reference).toBe(name);
      expect(imported?.config).toEqual(image.config);
      expect(imported?.layers.map(({ diffId }) => diffId)).toEqual(
        image.layers.map(({ diffId }) => diffId),
      );
      for (const layer of imported?.layers ?? []) {
        const tar = await drain(back.openLayer(layer));
        expect(digestOf(tar)).toBe(layer.diffId);
      }
      if (format === "oci-archive") expect(imported?.digest).toBe(image.digest);
      await back.remove(name);
    }
  });

  test("has the same bytes each time, and each layer once", async () => {
    const { store } = await storeWithImage();
    const first = await drain(store.export(name, { format, name }));
    expect(Buffer.compare(await drain(store.export(name, { format, name })), first)).toBe(0);
    const paths = pathsOf(first);
    expect(new Set(paths).size).toBe(paths.length);
    const hasLayout = paths.includes("oci-layout") && paths.includes("index.json");
    expect(hasLayout).toBe(format !== "docker-archive-legacy");
    expect(paths.includes("manifest.json")).toBe(format !== "oci-archive");
    expect(paths.includes("repositories")).toBe(format === "docker-archive-legacy");
  });

  test("may be written in chunks whose memory is used again", async () => {
    const { store } = await storeWithImage();
    const whole = await drain(store.export(name, { format, name }));
    const copies: Uint8Array[] = [];
    const chunks: Uint8Array[] = [];
    for await (const chunk of await store.export(name, {
      format,
      name,
      hasTransientChunks: true,
    })) {
      copies.push(new Uint8Array(chunk));
      chunks.push(chunk);
    }
    expect(Buffer.compare(Buffer.concat(copies), whole)).toBe(0);
    expect(chunks.some((chunk) => chunk.byteLength === 0)).toBe(true);
  });

  test("has a name without the digest that it was pulled by", async () => {
    const { store } = await storeWithImage();
    const pinned = `@sha256:${"a".repeat(64)}`;
    const [plain, nameless] = [
      await drain(store.export(name, { format, name })),
      await drain(store.export(name, { format })),
    ];
    for (const [given, expected] of [
      [`${name}${pinned}`, plain],
      [`registry.test:5000/team/app${pinned}`, nameless],
      [pinned.slice(1), nameless],
    ] as const) {
      const bytes = await drain(store.export(name, { format, name: given }));
      expect(Buffer.compare(bytes, expected)).toBe(0);
    }
  });

  test("without a name asks for one when it is imported", async () => {
    const { store, folder } = await storeWithImage();
    const bytes = await drain(store.export(name, { format }));
    const back = await ImageStore.open(join(folder, "back"), { platform });
    const input = () => ({
      chunks: (async function* () {
        yield bytes;
      })(),
      what: "stdin",
    });
    await expectCode(back.import(input()), "OCI_AMBIGUOUS_REFERENCE");
    expect(await back.list()).toEqual([]);
    const [image] = await back.import(input(), { name: "app" });
    expect(image?.reference).toBe("docker.io/library/app:latest");
  });

  test("fails when a layer has rotted in the store", async () => {
    const { store, image } = await storeWithImage();
    const layer = image.layers[1]?.descriptor;
    if (layer === undefined) throw new Error("the image has layers");
    const path = store.layout.blobPath(layer.digest);
    const bytes = await readFile(path);
    bytes[100_000] = (bytes[100_000] ?? 0) ^ 1;
    await writeFile(path, bytes);
    await expectCode(drain(store.export(name, { format })), "OCI_DIGEST_MISMATCH");
  });
});

describe("an import", () => {
  test("of a layout keeps full names, and passes bare tags over", async () => {
    const { store, folder } = await storeWithImage();
    const layout = await OciLayout.open(join(folder, "store"));
    const back = await ImageStore.open(join(folder, "back"), { platform });
    await store.tag(name, "registry.test/team/app:v2");
    const images = await back.import(layout);
    expect(images.map(({ reference }) => reference)).toEqual([name, "registry.test/team/app:v2"]);
    const bare = await OciLayout.open(join(folder, "source"));
    await expectCode(back.import(bare), "OCI_AMBIGUOUS_REFERENCE");
  });

  test("of several images gives none of them another's name", async () => {
    const { folder } = await storeWithImage();
    const layout = await OciLayout.open(join(folder, "source"));
    const target = new MemoryTarget();
    await target.tag(await addImage(target), "v2");
    await copy(target, "v2", layout, "x/app:v2");
    const back = await ImageStore.open(join(folder, "back"), { platform });
    await expectCode(back.import(layout, { name: "one" }), "OCI_AMBIGUOUS_REFERENCE");
    expect(await back.list()).toEqual([]);
  });

  test("of nonsense is refused and leaves nothing", async () => {
    const { folder } = await storeWithImage();
    const back = await ImageStore.open(join(folder, "back"), { platform });
    const chunks = (async function* () {
      yield noise(5000);
    })();
    const error = await expectCode(
      back.import({ chunks, what: "standard input" }),
      "OCI_ARCHIVE_CORRUPT",
    );
    expect(error.message).toContain("standard input");
    const missing = join(folder, "none");
    await expectCode(back.import(missing), "OCI_NOT_FOUND");
  });
});

describe("a push", () => {
  test("sends every platform when all are here, else the one that is", async () => {
    const folder = await temporaryFolder();
    const target = new MemoryTarget();
    const arm = { os: "linux", architecture: "arm64" };
    const index = await addIndex(target, [
      { ...(await addImage(target, { tars: [noise(10)] })), platform },
      { ...(await addImage(target, { tars: [noise(20)], platform: arm })), platform: arm },
    ]);
    await target.tag(index, "v1");
    const source = await OciLayout.ensure(join(folder, "source"));
    await copy(target, "v1", source);
    const store = await ImageStore.open(join(folder, "store"), { platform });
    const reference = `oci:${source.directory}:v1`;
    const events = new Set<string>();
    const one = await store.pull(reference);
    const first = await store.push(reference, `oci:${folder}/a:v1`, {
      onEvent: ({ type }) => events.add(type),
    });
    expect(first).toEqual({ reference: `oci:${folder}/a:v1`, digest: one.digest });
    expect(events).toEqual(new Set(["progress", "stored", "warning"]));
    await store.pull(reference, { platform: arm });
    const second = await store.push(reference, `oci:${folder}/b:v1`);
    expect(second.digest).toBe(index.digest);
  });

  test("goes to a tag of a registry or a layout, nowhere else", async () => {
    const { store, folder } = await storeWithImage();
    const wrong = [
      `oci-archive:${folder}/x.tar`,
      `docker-archive:${folder}/x.tar`,
      `registry.test/app@${digestOf(noise(1))}`,
    ];
    for (const destination of wrong) {
      await expectCode(store.push(name, destination), "OCI_INVALID_REFERENCE");
    }
    await expectCode(store.push("other:v1", name), "OCI_IMAGE_NOT_FOUND");
  });

  test("passes over the image that it is about when that is elsewhere", async () => {
    const { store, image, folder } = await storeWithImage();
    const target = new MemoryTarget();
    const subject = { ...image.descriptor, digest: digestOf(noise(7)) };
    await target.tag(await addImage(target, { manifest: { subject } }), "v1");
    const layout = await OciLayout.ensure(join(folder, "about"));
    const root = await target.resolve("v1");
    const selectSuccessors = (_: unknown, all: readonly (typeof root)[]) =>
      all.filter(({ digest }) => digest !== subject.digest);
    await copyGraph(target, root, layout, { selectSuccessors });
    await layout.tag(root, "v1");
    await store.pull(`oci:${layout.directory}:v1`);
    const pushed = await store.push(`oci:${layout.directory}:v1`, `oci:${folder}/there`);
    expect(pushed.digest).toBe(root.digest);
  });
});
