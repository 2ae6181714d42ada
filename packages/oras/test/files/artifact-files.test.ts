import { mkdir, readdir, readFile, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import {
  attach,
  bytesSource,
  copy,
  type Descriptor,
  describe as describeContent,
  discover,
  extendedCopy,
  MemoryTarget,
  mediaTypes,
  OciLayout,
  pack,
  pullFiles,
  pushFiles,
} from "@box/oras";
import { describe, expect, test } from "vitest";
import { collect } from "../collect.ts";
import { expectCode } from "../expect-code.ts";
import { add, encodeJson, sampleImage } from "../sample-image.ts";
import { temporaryFolder } from "../temporary-folder.ts";

const artifactType = "application/x.test";

async function artifactWithTitles(...titles: readonly string[]): Promise<MemoryTarget> {
  const target = new MemoryTarget();
  const layers = [];
  for (const title of titles) {
    const annotations = { "org.opencontainers.image.title": title };
    layers.push({ ...(await add(target, "text/plain", encodeJson(title))), annotations });
  }
  await target.tag(await pack(target, { artifactType, layers }), "v1");
  return target;
}

describe("names of files", () => {
  async function artifact(...titles: readonly string[]): Promise<MemoryTarget> {
    const target = new MemoryTarget();
    const layers: Descriptor[] = [];
    for (const [count, title] of titles.entries()) {
      const bytes = Buffer.from(`file ${count}`);
      const annotations = { "org.opencontainers.image.title": title };
      const layer = { ...describeContent("text/plain", bytes), annotations };
      await target.push(layer, bytesSource(bytes));
      layers.push(layer);
    }
    await target.tag(await pack(target, { artifactType: "application/x", layers }), "v1");
    return target;
  }

  test("that lead out by a link are refused before a file or a folder is made", async () => {
    const folder = await temporaryFolder();
    const [out, elsewhere] = [join(folder, "out"), join(folder, "elsewhere")];
    await mkdir(out);
    await mkdir(elsewhere);
    await symlink("../elsewhere", join(out, "link"));
    await symlink("../nowhere", join(out, "loose"));
    for (const title of ["link/made/by/us/f", "link/f", "loose/f"]) {
      const target = await artifact("first", "sub/second", title);
      await expectCode(pullFiles(target, "v1", out), "OCI_UNSAFE_NAME");
    }
    expect(await readdir(elsewhere)).toEqual([]);
    expect((await readdir(out)).sort()).toEqual(["link", "loose"]);
  });

  test("that two files have are refused, pushed or pulled", async () => {
    const folder = await temporaryFolder();
    const target = await artifact("a", "b", "a");
    await expectCode(pullFiles(target, "v1", folder, { overwrite: true }), "OCI_UNSAFE_NAME");
    expect(await readdir(folder)).toEqual([]);
    const files = [{ path: "x/a" }, { path: "y/a" }];
    await expectCode(pushFiles(new MemoryTarget(), files), "OCI_UNSAFE_NAME");
  });
});

describe("files of an artifact", () => {
  test("are pushed with their names and types, and pulled with the same bytes", async () => {
    const folder = await temporaryFolder();
    const big = new Uint8Array(2_500_000).fill(7);
    await writeFile(join(folder, "big.bin"), big);
    await writeFile(join(folder, "note"), "hello");
    const target = new MemoryTarget();
    const events: string[] = [];
    const layers = await pushFiles(
      target,
      [
        { path: join(folder, "big.bin") },
        { path: join(folder, "note"), mediaType: "text/plain", title: "docs/note.txt" },
      ],
      { onEvent: ({ type, descriptor }) => events.push(`${type} ${descriptor.size}`) },
    );
    expect(layers.map(({ mediaType }) => mediaType)).toEqual([
      "application/octet-stream",
      "text/plain",
    ]);
    expect(new Set(events)).toEqual(
      new Set(["progress 2500000", "copied 2500000", "progress 5", "copied 5"]),
    );
    await target.tag(await pack(target, { artifactType, layers }), "v1");
    const out = join(folder, "out");
    const pulled = await pullFiles(target, "v1", out);
    expect(pulled.map(({ path }) => path)).toEqual([
      join(out, "big.bin"),
      join(out, "docs/note.txt"),
    ]);
    expect(Buffer.compare(await readFile(join(out, "big.bin")), big)).toBe(0);
    expect(await readFile(join(out, "docs/note.txt"), "utf8")).toBe("hello");
  });

  test("replace others only when told to", async () => {
    const folder = await temporaryFolder();
    const target = await artifactWithTitles("a");
    await writeFile(join(folder, "a"), "mine");
    await expectCode(pullFiles(target, "v1", folder), "IO_EXISTS");
    expect(await readFile(join(folder, "a"), "utf8")).toBe("mine");
    await pullFiles(target, "v1", folder, { overwrite: true });
    expect(await readFile(join(folder, "a"), "utf8")).toBe('"a"');
  });

  test.each([
    "../x",
    "/etc/x",
    "a/../../x",
    "",
    ".",
    "a//b",
    "a\\b",
    "C:x",
    "a\0b",
    `${"x".repeat(256)}`,
    "a/",
  ])("named %j are refused before anything is written", async (title) => {
    const folder = await temporaryFolder();
    const target = await artifactWithTitles("good", title);
    await expectCode(pullFiles(target, "v1", join(folder, "out")), "OCI_UNSAFE_NAME");
    expect(await readdir(folder)).toEqual([]);
    await expectCode(
      pushFiles(new MemoryTarget(), [{ path: join(folder, "x"), title }]),
      "OCI_UNSAFE_NAME",
    );
  });

  test("do not follow links out of the folder", async () => {
    const folder = await temporaryFolder();
    const out = join(folder, "out");
    await mkdir(out);
    await mkdir(join(folder, "elsewhere"));
    await symlink(join(folder, "elsewhere"), join(out, "docs"));
    const target = await artifactWithTitles("docs/x");
    await expectCode(pullFiles(target, "v1", out), "OCI_UNSAFE_NAME");
    expect(await readdir(join(folder, "elsewhere"))).toEqual([]);
  });

  test("of an index are not guessed", async () => {
    const target = new MemoryTarget();
    const index = encodeJson({ schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests: [] });
    await target.tag(await add(target, mediaTypes.ociIndex, index), "v1");
    const work = pullFiles(target, "v1", await temporaryFolder());
    await expectCode(work, "OCI_UNSUPPORTED_MEDIA_TYPE");
  });
});

describe("a layout", () => {
  test("knows what is attached to its content, and passes it on", async () => {
    const layout = await OciLayout.ensure(await temporaryFolder());
    const image = await sampleImage();
    await copy(image.target, "v1", layout);
    expect(await collect(layout.predecessors(image.root))).toEqual([]);
    const sbom = await attach(layout, image.root, { artifactType });
    const signature = await attach(layout, sbom, { artifactType: "application/x.signature" });
    // A document that names the digest and is about something else.
    await add(layout, "application/json", encodeJson({ about: image.root.digest }));
    const other = { ...image.root, digest: sbom.digest, size: sbom.size };
    await attach(layout, other, { artifactType, annotations: { see: image.root.digest } });
    expect(await collect(layout.predecessors(image.root))).toEqual([sbom]);
    const [found] = await discover(layout, image.root);
    expect(found?.referrers.map(({ descriptor }) => descriptor.digest)).toContain(signature.digest);
    const copied = new MemoryTarget();
    await extendedCopy(layout, "v1", copied);
    expect((await discover(copied, image.root))[0]?.referrers).toHaveLength(2);
  });
});
