import { join } from "node:path";
import { nodeFileSystem } from "@box/io/node";
import { ImageStore } from "@box/oci-images";
import { copy, MemoryTarget, OciLayout } from "@box/oras";
import { drain, scriptedServer } from "@box/test-support";
import { expect, test } from "vitest";
import { addImage, noise } from "../sample-image.ts";
import { temporaryFolder } from "../temporary-folder.ts";

const platform = { os: "linux", architecture: "amd64" };

async function imageInLayout() {
  const folder = await temporaryFolder();
  const target = new MemoryTarget();
  const root = await addImage(target, { tars: [noise(3000, 1), noise(2000, 2)] });
  await target.tag(root, "v1");
  await copy(target, "v1", await OciLayout.ensure(join(folder, "layout")));
  const manifest = JSON.parse(Buffer.from(await drain(target.fetch(root))).toString());
  const configHex: string = manifest.config.digest.slice("sha256:".length);
  return { folder, target, configHex };
}

test("layers are fetched while the config is stored", async () => {
  const { folder, configHex } = await imageInLayout();
  const begun = Promise.withResolvers<void>();
  const order: string[] = [];
  const fs = {
    ...nodeFileSystem,
    rename: async (from: string, to: string) => {
      if (to.endsWith(configHex)) await begun.promise;
      order.push(to.endsWith(configHex) ? "config" : "other");
      await nodeFileSystem.rename(from, to);
    },
  };
  const store = await ImageStore.open(join(folder, "store"), { platform, fs });
  const onEvent = ({ type }: { readonly type: string }): void => {
    if (type === "progress") begun.resolve();
  };
  const image = await store.pull(`oci:${folder}/layout:v1`, { onEvent });
  expect(image.layers).toHaveLength(2);
  expect(order).toContain("config");
  expect(await store.verify()).toEqual([]);
});

test("a config that cannot be stored stops the layers, and is what is told", async () => {
  const { folder, target, configHex } = await imageInLayout();
  const fs = {
    ...nodeFileSystem,
    rename: async (from: string, to: string) => {
      if (to.endsWith(configHex)) throw Object.assign(new Error("full"), { code: "ENOSPC" });
      await nodeFileSystem.rename(from, to);
    },
  };
  let cut = 0;
  const server = await scriptedServer(async (request, response) => {
    const name = request.url?.split("/").at(-1) ?? "";
    const descriptor = await target.resolve(name);
    response.on("close", () => {
      if (!response.writableFinished) cut++;
    });
    response.writeHead(200, { "content-type": descriptor.mediaType });
    const isLayer = request.url?.includes("/blobs/") && !name.endsWith(configHex);
    // Layers never end by themselves.
    if (isLayer) response.write("x");
    else response.end(await drain(target.fetch(descriptor)));
  });
  const store = await ImageStore.open(join(folder, "store"), { platform, fs });
  const pulling = store.pull(`${server.host}/app:v1`);
  await expect(pulling).rejects.toMatchObject({ code: "IO_NO_SPACE" });
  await expect.poll(() => cut).toBe(2);
  expect(await store.list()).toEqual([]);
});
