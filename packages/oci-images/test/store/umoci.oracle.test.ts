import { chmod, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type Image, ImageStore } from "@box/oci-images";
import { copy, MemoryTarget, mediaTypes, OciLayout } from "@box/oras";
import { TarParser } from "@box/tar";
import { hasTool, run } from "@box/test-support";
import { describe, expect, test } from "vitest";
import { addImage } from "../sample-image.ts";
import { tarOf } from "../tar-image.ts";
import { temporaryFolder } from "../temporary-folder.ts";

const platform = { os: "linux", architecture: "amd64" };

/** Two layers: the second one takes a file of the first one away, and replaces another one. */
const lower = tarOf([
  ["etc/"],
  ["etc/gone", "no more"],
  ["etc/kept", "as it was"],
  ["etc/new", "old"],
]);
const upper = tarOf([["etc/"], ["etc/.wh.gone", ""], ["etc/new", "new"]]);

interface Case {
  readonly name: string;
  readonly layerType: string;
  readonly compress?: (tar: Uint8Array) => Uint8Array;
}
const cases: readonly Case[] = [
  { name: "gzip", layerType: mediaTypes.ociLayerGzip },
  { name: "plain", layerType: mediaTypes.ociLayer, compress: (tar) => tar },
];

async function unpack(image: string, folder: string): Promise<string> {
  const bundle = join(folder, "bundle");
  await run("umoci", ["unpack", "--rootless", "--image", image, bundle]);
  return join(bundle, "rootfs");
}

/** Paths of all entries of an image's layers, and the content of small files. */
async function entriesOf(store: ImageStore, image: Image): Promise<ReadonlyMap<string, string>> {
  const entries = new Map<string, string>();
  for (const layer of image.layers) {
    let current = "";
    const parser = new TarParser({
      entry: ({ path }) => {
        current = new TextDecoder().decode(path).replace(/^\.?\//, "");
        entries.set(current, "");
      },
      data: (bytes) => {
        entries.set(current, `${entries.get(current)}${new TextDecoder().decode(bytes)}`);
      },
      end: () => {},
    });
    // No `finish`: umoci 0.4.7 leaves out what should follow the last file that it inserts.
    for await (const chunk of store.openLayer(layer)) parser.push(chunk);
  }
  return entries;
}

describe.skipIf(!hasTool("umoci"))("umoci", () => {
  test.each(cases)("unpacks what the store holds and what it writes, $name layers", async (one) => {
    const folder = await temporaryFolder();
    const target = new MemoryTarget();
    const config = { history: [{ created_by: "lower" }, { created_by: "upper" }] };
    await target.tag(await addImage(target, { ...one, tars: [lower, upper], config }), "v1");
    const layout = await OciLayout.ensure(join(folder, "layout"));
    await copy(target, "v1", layout);
    const store = await ImageStore.open(join(folder, "store"), { platform });
    const name = "registry.test/team/app:v1";
    await store.import(layout, { name });
    await store.push(name, `oci:${folder}/pushed:v1`);
    for (const image of [`${folder}/store:${name}`, `${folder}/pushed:v1`]) {
      const stat = JSON.parse(await run("umoci", ["stat", "--json", "--image", image]));
      expect(stat.history).toMatchObject(config.history);
      const rootfs = await unpack(image, folder);
      expect((await readdir(join(rootfs, "etc"))).sort()).toEqual(["kept", "new"]);
      expect(await readFile(join(rootfs, "etc", "kept"), "utf8")).toBe("as it was");
      expect(await readFile(join(rootfs, "etc", "new"), "utf8")).toBe("new");
      await rm(join(folder, "bundle"), { recursive: true });
    }
  });

  test("writes images that the store reads: new layers, whiteouts and configs", async () => {
    const folder = await temporaryFolder();
    const target = new MemoryTarget();
    await target.tag(await addImage(target, { tars: [lower] }), "v1");
    await copy(target, "v1", await OciLayout.ensure(join(folder, "layout")));
    const layout = join(folder, "layout");
    const rootfs = await unpack(`${layout}:v1`, folder);
    await writeFile(join(rootfs, "etc", "more"), "by umoci");
    await chmod(join(rootfs, "etc", "kept"), 0o600);
    await rm(join(rootfs, "etc", "gone"));
    await run("umoci", ["repack", "--image", `${layout}:v2`, join(folder, "bundle")]);
    await run("umoci", ["config", "--image", `${layout}:v2`, "--config.user", "7", "--tag", "v3"]);
    const store = await ImageStore.open(join(folder, "store"), { platform });
    const image = await store.pull(`oci:${layout}:v3`);
    expect(image.config.user).toBe("7");
    expect(image.layers).toHaveLength(2);
    const entries = await entriesOf(store, image);
    expect(entries.get("etc/more")).toBe("by umoci");
    expect([...entries.keys()]).toContain("etc/.wh.gone");
    expect(entries.get("etc/kept")).toBe("as it was");
    expect(await store.verify()).toEqual([]);
  });

  test("makes an image from nothing that the store reads", async () => {
    const folder = await temporaryFolder();
    const layout = join(folder, "layout");
    await run("umoci", ["init", "--layout", layout]);
    await run("umoci", ["new", "--image", `${layout}:empty`]);
    await writeFile(join(folder, "hello"), "hello");
    const insert = ["insert", "--rootless", "--image", `${layout}:empty`, "--tag", "one"];
    await run("umoci", [...insert, join(folder, "hello"), "/hello"]);
    const store = await ImageStore.open(join(folder, "store"));
    expect((await store.pull(`oci:${layout}:empty`)).layers).toEqual([]);
    const image = await store.pull(`oci:${layout}:one`);
    expect((await entriesOf(store, image)).get("hello")).toBe("hello");
  });
});
