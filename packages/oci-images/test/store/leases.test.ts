import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { acquireLock } from "@box/io/node";
import { type Image, ImageStore } from "@box/oci-images";
import { attach, copy, extendedCopy, MemoryTarget, OciLayout } from "@box/oras";
import { drain, scriptedServer } from "@box/test-support";
import { describe, expect, onTestFinished, test } from "vitest";
import { pushImage } from "../../src/store/push-image.ts";
import { expectCode } from "../expect-code.ts";
import { addImage, noise } from "../sample-image.ts";
import { temporaryFolder } from "../temporary-folder.ts";

const platform = { os: "linux", architecture: "amd64" };
const muchLater = Date.now() + 1e9;

async function storeWithImage(): Promise<{ store: ImageStore; image: Image; leases: string }> {
  const folder = await temporaryFolder();
  const target = new MemoryTarget();
  await target.tag(await addImage(target, { tars: [noise(3000, 1), noise(500_000, 2)] }), "v1");
  await copy(target, "v1", await OciLayout.ensure(join(folder, "layout")));
  const store = await ImageStore.open(join(folder, "store"), { platform });
  const image = await store.pull(`oci:${folder}/layout:v1`);
  return { store, image, leases: join(folder, "store", "ingest", "leases") };
}

/** What a collection of garbage takes, once the image has no name. */
async function collected({ store, image }: { store: ImageStore; image: Image }): Promise<number> {
  await store.remove(image.reference);
  return (await store.collectGarbage({ nowMs: muchLater })).removed.length;
}

describe("an image without a name stays while it is leased", () => {
  test("by this process, until the lease is given back", async () => {
    const made = await storeWithImage();
    const first = await made.store.lease(made.image.reference);
    const second = await made.store.lease(made.image.digest);
    expect(await collected(made)).toBe(0);
    await first[Symbol.asyncDispose]();
    expect(await collected(made)).toBe(0);
    expect((await made.store.get(made.image.digest)).layers).toHaveLength(2);
    await second[Symbol.asyncDispose]();
    expect(await readdir(made.leases)).toEqual([]);
    // Its manifest, config and two layers.
    expect(await collected(made)).toBe(4);
    await expectCode(made.store.lease(made.image.digest), "OCI_IMAGE_NOT_FOUND");
  });

  test("by another process, until that is killed", { timeout: 30_000 }, async () => {
    const made = await storeWithImage();
    const script = fileURLToPath(new URL("./lease-child.ts", import.meta.url));
    const folder = made.store.layout.directory;
    const args = ["--conditions=@box/source", script, folder, made.image.reference];
    const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
    onTestFinished(() => {
      child.kill("SIGKILL");
    });
    const [line] = await once(child.stdout, "data");
    expect(String(line)).toBe("leased\n");
    expect(await collected(made)).toBe(0);
    child.kill("SIGKILL");
    await once(child, "close");
    expect(await collected(made)).toBe(4);
    expect(await readdir(made.leases)).toEqual([]);
  });

  test("while it is pulled, whatever of it was there before", async () => {
    const { store } = await storeWithImage();
    const target = new MemoryTarget();
    const tars = [noise(3000, 1), noise(2000, 3), noise(2000, 4)];
    await target.tag(await addImage(target, { tars }), "v1");
    const [{ reference = "" } = {}] = await store.list();
    await store.remove(reference);
    const collections: number[] = [];
    const server = await scriptedServer(async (request, response) => {
      const descriptor = await target.resolve(request.url?.split("/").at(-1) ?? "");
      const bytes = await drain(target.fetch(descriptor));
      const { removed } = await store.collectGarbage({ nowMs: muchLater, graceMs: 0 });
      collections.push(removed.length);
      response.writeHead(200, { "content-type": descriptor.mediaType }).end(bytes);
    });
    const image = await store.pull(`${server.host}/app:v1`);
    expect(image.layers).toHaveLength(3);
    // The first image goes when the manifest is asked for; then config and layers come one by one.
    expect(collections).toEqual([4, 0, 0, 0, 0]);
    expect(server.seen).toHaveLength(new Set(server.seen.map(({ path }) => path)).size);
    expect(await store.verify()).toEqual([]);
  });

  test("while it is imported", async () => {
    const { store, leases } = await storeWithImage();
    const { directory } = store.layout;
    const source = await OciLayout.open(directory.replace(/store$/, "layout"));
    const [{ reference = "" } = {}] = await store.list();
    const fetch = source.fetch.bind(source);
    const removed: number[] = [];
    await store.remove(reference);
    source.fetch = async (descriptor, options) => {
      removed.push((await store.collectGarbage({ nowMs: muchLater, graceMs: 0 })).removed.length);
      return fetch(descriptor, options);
    };
    const [image] = await store.import(source, { name: "app:v1" });
    expect(image?.layers).toHaveLength(2);
    // The manifest and the config are read before anything is stored.
    expect(removed).toEqual([4, 0, 0, 0]);
    expect(await store.verify()).toEqual([]);
    expect(await readdir(leases)).toEqual([]);
  });

  test.each(["copied", "pushed", "copied with all that is attached to it"])(
    "while it is %s straight into the store's layout",
    async (way) => {
      const { store, image, leases } = await storeWithImage();
      const { directory } = store.layout;
      const source = await OciLayout.open(directory.replace(/store$/, "layout"));
      const report = await attach(source, image.root, { artifactType: "application/x.report" });
      // Nothing names what is there, and all of it is old.
      await store.remove(image.reference);
      const collect = async (): Promise<number> =>
        (await store.collectGarbage({ nowMs: muchLater, graceMs: 0 })).removed.length;
      const removed: number[] = [];
      const destination = await OciLayout.open(directory);
      const exists = destination.exists.bind(destination);
      destination.exists = async (descriptor) => {
        const isThere = await exists(descriptor);
        removed.push(await collect());
        return isThere;
      };
      const tag = destination.tag.bind(destination);
      destination.tag = async (...given) => {
        removed.push(await collect());
        await tag(...given);
      };
      if (way === "copied") await copy(source, "v1", destination, "app:v1");
      else if (way === "pushed") {
        const from = await ImageStore.open(source.directory, { platform });
        const [{ descriptor } = { descriptor: report }] = await from.list();
        const pushed = await from.get(descriptor.digest);
        await pushImage(source, pushed, destination, "app:v1");
      } else await extendedCopy(source, "v1", destination, "app:v1");
      expect(new Set(removed)).toEqual(new Set([0]));
      expect(await store.verify()).toEqual([]);
      expect((await store.get(image.digest)).layers).toHaveLength(2);
      expect(await store.layout.exists(report)).toBe(way.startsWith("copied with"));
      expect(await readdir(leases)).toEqual([]);
      expect(await collect()).toBe(0);
    },
  );

  test("while it is exported", async () => {
    const made = await storeWithImage();
    const removed: number[] = [];
    for await (const _chunk of await made.store.export(made.image.reference)) {
      removed.push(await collected(made));
    }
    expect(new Set(removed)).toEqual(new Set([0]));
    expect(await readdir(made.leases)).toEqual([]);
    expect(await collected(made)).toBe(4);
  });

  test("while it is pushed, and not when that has failed", async () => {
    const made = await storeWithImage();
    const removed: number[] = [];
    const server = await scriptedServer(async (_request, response) => {
      removed.push(await collected(made));
      response.writeHead(403).end();
    });
    const push = made.store.push(made.image.reference, `${server.host}/app:v1`);
    await expectCode(push, "ORAS_AUTH_DENIED");
    expect(new Set(removed)).toEqual(new Set([0]));
    expect(await readdir(made.leases)).toEqual([]);
    expect(await collected(made)).toBe(4);
  });
});

describe("leases", () => {
  test("of somebody else are taken in place of the store's own", async () => {
    const made = await storeWithImage();
    await made.store.remove(made.image.reference);
    const leases = { held: async () => [made.image.descriptor] };
    const options = { nowMs: muchLater, leases };
    expect((await made.store.collectGarbage(options)).removed).toEqual([]);
    expect(await collected(made)).toBe(4);
  });

  test("that cannot be understood stop a collection before it removes anything", async () => {
    const { store, image, leases } = await storeWithImage();
    await store.remove(image.reference);
    await mkdir(leases, { recursive: true });
    for (const text of ["", "{}", '["sha256:x"]', '[{"digest":"sha256:x"}]']) {
      await writeFile(join(leases, "a.json"), text);
      await using _lock = await acquireLock(join(leases, "a.lock"));
      const error = await expectCode(
        store.collectGarbage({ nowMs: muchLater }),
        "OCI_LAYOUT_INVALID",
      );
      expect(error.message).toContain("a.json is malformed");
    }
    expect((await store.get(image.digest)).layers).toHaveLength(2);
    // Nobody holds it any more.
    expect((await store.collectGarbage({ nowMs: muchLater })).removed).toHaveLength(4);
  });

  test("that cannot be written do not keep an image from being exported", async () => {
    const { store, image, leases } = await storeWithImage();
    await rm(leases, { recursive: true, force: true });
    await writeFile(leases, "no folder");
    expect((await drain(store.export(image.reference))).byteLength).toBeGreaterThan(500_000);
    const failure = { code: expect.stringMatching(/^IO_/) };
    await expect(store.lease(image.reference)).rejects.toMatchObject(failure);
    await expect(store.collectGarbage({ nowMs: muchLater })).rejects.toMatchObject(failure);
  });

  test("need an image that is whole", async () => {
    const { store, image, leases } = await storeWithImage();
    const [layer] = image.layers;
    if (layer === undefined) throw new Error("the image has layers");
    await store.layout.removeBlob(layer.descriptor.digest);
    await expectCode(store.lease(image.reference), "OCI_IMAGE_INCOMPLETE");
    expect(await readdir(leases).catch(() => [])).toEqual([]);
    expect(await readFile(join(store.layout.directory, "index.json"), "utf8")).toContain("v1");
  });
});
