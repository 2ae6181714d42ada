import { readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { toIoError } from "@box/io/node";
import { type ImageLayer, ImageStore } from "@box/oci-images";
import { serveRegistry } from "@box/oras/registry-server";
import { BaseCache } from "@box/rootfs";
import { type BoxEvent, type Reporter, Runtime, withWholeImage } from "@box/runtime";
import { pushSampleImage, writeSampleLayout } from "@box/sample-image";
import { describe, expect, onTestFinished, test } from "vitest";
import { Bootstraps } from "../src/source/bootstraps.ts";
import { StoreImages } from "../src/source/store-images.ts";
import { temporaryFolder } from "./test-home.ts";

/** An open runtime whose box stands on an image of a layout. */
async function homeWithBox() {
  const folder = await temporaryFolder();
  const layout = join(folder, "layout");
  await writeSampleLayout(layout, "latest");
  return makeBox(join(folder, "home"), `oci:${layout}:latest`, layout);
}

async function makeBox(home: string, image: string, layout: string) {
  const runtime = await Runtime.open({ home });
  onTestFinished(() => runtime.close());
  const { box } = await runtime.boxes.create({ image, name: "web" });
  const base = box.disks.user?.base?.path ?? "";
  return { runtime, home, image, layout, base, bytes: await readFile(base) };
}

/** Changes a byte of every layer, and takes the bases away, so that the layers are needed. */
async function rot(home: string): Promise<string[]> {
  const blobs = join(home, "images/blobs/sha256");
  const rotten: string[] = [];
  for (const name of await readdir(blobs)) {
    const bytes = await readFile(join(blobs, name));
    // Manifests, indexes and configs are read with their digests each time.
    if (bytes[0] === 0x7b) continue;
    bytes.writeUInt8(bytes.readUInt8(bytes.byteLength >> 1) ^ 1, bytes.byteLength >> 1);
    await rm(join(blobs, name));
    await writeFile(join(blobs, name), bytes);
    rotten.push(`sha256:${name}`);
  }
  expect(rotten.length).toBeGreaterThan(1);
  const bases = join(home, "bases");
  for (const name of await readdir(bases)) {
    if (/\.(ext4|json)$/.test(name)) await rm(join(bases, name));
  }
  return rotten.sort();
}

async function hearing(work: (onEvent: (event: BoxEvent) => void) => Promise<unknown>) {
  const told: string[] = [];
  await work((event) => {
    if (event.type === "warning") told.push(event.message);
  });
  return told.sort();
}

const mended = (digests: readonly string[]) =>
  digests.map(
    (digest) => `layer ${digest} was damaged in the store: it is taken away and fetched again`,
  );

describe("damaged layers of the store", () => {
  test("are fetched again for a new box, with a warning for each, whatever the policy", async () => {
    for (const pull of ["missing", "always"] as const) {
      const { runtime, home, image, base, bytes } = await homeWithBox();
      const rotten = await rot(home);
      const told = await hearing((onEvent) =>
        runtime.boxes.create({ image, name: "two", pull, onEvent }),
      );
      expect(told).toEqual(mended(rotten));
      expect((await readFile(base)).equals(bytes)).toBe(true);
      const store = await ImageStore.open(join(home, "images"));
      expect(await store.verify()).toEqual([]);
    }
  });

  test("of a store that may only be read are told as damaged", async () => {
    for (const errno of ["EROFS", "EACCES", "EPERM", "EIO"]) {
      const { home, image } = await homeWithBox();
      await rot(home);
      const store = await ImageStore.open(join(home, "images"));
      const cause = Object.assign(new Error(errno), { code: errno });
      store.layout.removeRotten = () =>
        Promise.reject(toIoError(cause, { action: "cannot remove", path: "blob" }));
      const signal = new AbortController().signal;
      const mending = withWholeImage(
        store,
        {
          reference: image,
          isFetchable: true,
          pull: () => store.pull(image),
          reporter: { signal, warn: () => {} },
        },
        async (found) => {
          for await (const _ of store.openLayer(found.layers[0] as ImageLayer));
        },
      );
      await expect(mending).rejects.toMatchObject(
        errno === "EIO"
          ? { code: "IO_FAILED" }
          : { code: "OCI_DIGEST_MISMATCH", hint: expect.stringContaining("written to") },
      );
    }
  });

  test("are fetched again where a lost base is restored", async () => {
    const { runtime, home, base, bytes } = await homeWithBox();
    const rotten = await rot(home);
    const told = await hearing((onEvent) => runtime.boxes.restore("web", { onEvent }));
    expect(told).toEqual(expect.arrayContaining(mended(rotten)));
    expect((await readFile(base)).equals(bytes)).toBe(true);
  });

  test("are fetched again once where both disks and another process want them", async () => {
    const { home, image, base, bytes, runtime } = await homeWithBox();
    const rotten = await rot(home);
    const guestRootfs = { type: "disk", reference: image } as const;
    const other = await Runtime.open({ home });
    onTestFinished(() => other.close());
    const told = await hearing(async (onEvent) => {
      await Promise.all([
        runtime.boxes.create({ image, name: "two", guestRootfs, onEvent }),
        other.boxes.create({ image, name: "three", guestRootfs, onEvent }),
      ]);
    });
    expect(told).toEqual(mended(rotten));
    expect((await readFile(base)).equals(bytes)).toBe(true);
  });

  test("are fetched again for a guest root file system, too", async () => {
    const { home, image } = await homeWithBox();
    const rotten = await rot(home);
    const source = new StoreImages(join(home, "images"), {});
    const directories = { directory: join(home, "bases"), locksDirectory: join(home, "locks") };
    const bootstraps = new Bootstraps({ source, bases: new BaseCache(directories) });
    const told: string[] = [];
    const reporter: Reporter = {
      signal: new AbortController().signal,
      progress: () => {},
      info: () => {},
      warn: ({ message }) => told.push(message),
      cached: () => {},
    };
    expect(await bootstraps.get({ reference: image }, reporter)).toMatchObject({ type: "disk" });
    expect(told.sort()).toEqual(mended(rotten));
  });

  test("are fetched again from a registry, by the digest that a box was made from", async () => {
    const registry = await serveRegistry();
    onTestFinished(() => registry.close());
    await pushSampleImage(registry.origin, "sample/hello", "v1");
    const home = join(await temporaryFolder(), "home");
    const { runtime, base, bytes } = await makeBox(home, `${registry.host}/sample/hello:v1`, "");
    const rotten = await rot(home);
    const told = await hearing((onEvent) => runtime.boxes.restore("web", { onEvent }));
    expect(told).toEqual(expect.arrayContaining(mended(rotten)));
    expect((await readFile(base)).equals(bytes)).toBe(true);
  });

  test("stay away where the source is gone, and a pull brings them when it is back", async () => {
    const { runtime, home, image, layout, base, bytes } = await homeWithBox();
    await rot(home);
    await rename(layout, `${layout}.away`);
    const lost = expect.objectContaining({
      code: "OCI_DIGEST_MISMATCH",
      hint: expect.stringContaining(`box pull ${image}`),
    });
    await expect(runtime.boxes.restore("web")).rejects.toEqual(lost);
    await rename(`${layout}.away`, layout);
    await runtime.boxes.restore("web");
    expect((await readFile(base)).equals(bytes)).toBe(true);
  });

  test("are left alone where nothing may be fetched", async () => {
    const { runtime, home, image } = await homeWithBox();
    await rot(home);
    const count = (await readdir(join(home, "images/blobs/sha256"))).length;
    const refused = runtime.boxes.create({ image, name: "two", pull: "never" });
    await expect(refused).rejects.toMatchObject({
      code: "OCI_DIGEST_MISMATCH",
      hint: expect.stringContaining("box verify --repair"),
    });
    expect(await readdir(join(home, "images/blobs/sha256"))).toHaveLength(count);
  });
});
