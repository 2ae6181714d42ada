import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import {
  copy,
  copyGraph,
  createArchive,
  type Digest,
  ImageArchive,
  MemoryTarget,
  namesOf,
  OciLayout,
  RemoteRepository,
} from "@box/oras";
import { serveRegistry } from "@box/oras/registry-server";
import { describe, expect, onTestFinished, test } from "vitest";
import { tarOf } from "../archive/tar-of.ts";
import { expectCode } from "../expect-code.ts";
import { sampleImage } from "../sample-image.ts";
import { temporaryFolder } from "../temporary-folder.ts";
import { testClient } from "../test-client.ts";

async function layoutWith(name: string, sizes?: readonly number[]): Promise<OciLayout> {
  const { target } = await sampleImage(sizes);
  const layout = await OciLayout.ensure(join(await temporaryFolder(), "layout"));
  await copy(target, "v1", layout, name);
  return layout;
}

async function openArchive(path: string): Promise<ImageArchive> {
  const archive = await ImageArchive.open(path);
  onTestFinished(() => archive.close());
  return archive;
}

/** Packs a layout's folder as other tools do. */
async function packed(layout: OciLayout): Promise<ImageArchive> {
  const { digest } = (await layout.index()).manifests[0] ?? { digest: "sha256:" };
  const blob = `blobs/${digest.replace(":", "/")}`;
  const names = ["oci-layout", "index.json", blob];
  const read = async (name: string) =>
    [name, new Uint8Array(await readFile(join(layout.directory, name)))] as const;
  const path = join(await temporaryFolder(), "packed.tar");
  await writeFile(path, tarOf(await Promise.all(names.map(read))));
  return openArchive(path);
}

describe("a digest in a reference binds", () => {
  const wrong: Digest = `sha256:${"a".repeat(64)}`;

  async function renamed(name: string): Promise<OciLayout> {
    const layout = await layoutWith("v1");
    const { manifests } = await layout.index();
    const annotations = { "org.opencontainers.image.ref.name": name };
    const index = {
      schemaVersion: 2,
      manifests: manifests.map((one) => ({ ...one, annotations })),
    };
    await writeFile(join(layout.directory, "index.json"), JSON.stringify(index));
    return layout;
  }

  test.each([wrong, `example.com/app@${wrong}`, `example.com/app:v1@${wrong}`])(
    "so that an entry that is only called %s is not found by it",
    async (name) => {
      const layout = await renamed(name);
      await expectCode(layout.resolve(name), "OCI_NOT_FOUND");
      await expectCode(copy(layout, name, new MemoryTarget()), "OCI_NOT_FOUND");
      await expectCode((await packed(layout)).resolve(name), "OCI_NOT_FOUND");
    },
  );

  test.each([wrong, `app:v1@${wrong}`])("so that nothing else is called %s", async (name) => {
    const { target } = await sampleImage();
    const layout = await OciLayout.ensure(join(await temporaryFolder(), "layout"));
    await expectCode(copy(target, "v1", layout, name), "OCI_INVALID_REFERENCE");
    expect((await layout.index()).manifests).toEqual([]);
    const path = join(await temporaryFolder(), "image.tar");
    const archiving = createArchive(path, (archive) => copy(target, "v1", archive, name));
    await expectCode(archiving, "OCI_INVALID_REFERENCE");
    await using registry = await serveRegistry();
    const repository = new RemoteRepository(testClient(), registry.host, "app");
    await expectCode(copy(target, "v1", repository, name), "OCI_INVALID_REFERENCE");
  });

  test("and an entry is found by a name with its own digest", async () => {
    const layout = await layoutWith("v1");
    const root = await layout.resolve("v1");
    const name = `example.com/app:v1@${root.digest}`;
    await layout.tag(root, name);
    expect((await layout.resolve(name)).digest).toBe(root.digest);
    expect((await layout.resolve(root.digest)).digest).toBe(root.digest);
    expect((await (await packed(layout)).resolve(name)).digest).toBe(root.digest);
  });
});

describe("a copy takes no name along that nobody gave", () => {
  test("into a layout, where that name is taken", async () => {
    const source = await layoutWith("v1");
    const destination = await layoutWith("v1", [500]);
    const own = await destination.resolve("v1");
    await copy(source, "v1", destination, "_mine");
    expect((await destination.resolve("v1")).digest).toBe(own.digest);
    expect((await destination.index()).manifests.map(namesOf)).toEqual([["v1"], ["_mine"]]);
  });

  test("into an archive, with a new name and without any", async () => {
    const source = await layoutWith("example.com/app:v1");
    const folder = await temporaryFolder();
    const [named, nameless] = [join(folder, "named.tar"), join(folder, "nameless.tar")];
    const root = await source.resolve("example.com/app:v1");
    await createArchive(named, (archive) => copy(source, "example.com/app:v1", archive, "prod"));
    await createArchive(nameless, (archive) => copyGraph(source, root, archive));
    expect((await openArchive(named)).images.map(({ names }) => names)).toEqual([["prod"]]);
    expect((await openArchive(nameless)).images.map(({ names }) => names)).toEqual([[]]);
  });

  test("but keeps what else its entry says", async () => {
    const source = await layoutWith("v1");
    const root = await source.resolve("v1");
    const annotations = { ...root.annotations, kept: "1" };
    const destination = await layoutWith("v2");
    await destination.tag({ ...root, annotations }, "v3");
    expect((await destination.resolve("v3")).annotations).toMatchObject({ kept: "1" });
  });
});
