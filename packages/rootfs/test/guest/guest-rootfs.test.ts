import {
  type BaseEvent,
  bootstrapGuestImage,
  type GuestImage,
  initialiseGuestRootfs,
} from "@box/rootfs";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { makeTestCache, recipe, type TestCache } from "../base/cache-folder.ts";

let folder: TestCache;
beforeEach(async () => {
  folder = await makeTestCache();
});
afterEach(() => folder.remove());

const image: GuestImage = {
  digest: "sha256:image",
  source: "test",
  env: ["PATH=/bin", "dropped", "A=b=c"],
  layers: recipe.layers,
};
const options = { hasJournal: false };

describe("initialiseGuestRootfs", () => {
  test("makes the base of an image, with its environment", async () => {
    const guest = initialiseGuestRootfs({
      type: "disk",
      image: async () => image,
      cache: folder.cache,
      options,
      kernelPath: "/boot/kernel",
      initrdPath: "/boot/initrd",
    });
    expect(await guest()).toMatchObject({
      type: "disk",
      imageDigest: "sha256:image",
      environment: [
        ["PATH", "/bin"],
        ["A", "b=c"],
      ],
      kernelPath: "/boot/kernel",
      initrdPath: "/boot/initrd",
      base: await folder.cache.find((await folder.cache.ensure(recipe)).key),
    });
  });

  test("shares one bootstrap between two concurrent starts, and with later ones", async () => {
    let bootstraps = 0;
    const events: BaseEvent[] = [];
    const guest = initialiseGuestRootfs({
      type: "disk",
      image: async () => {
        bootstraps += 1;
        return image;
      },
      cache: folder.cache,
      options,
      onEvent: (event) => events.push(event),
    });
    const [first, second] = await Promise.all([guest(), guest()]);
    expect(second).toBe(first);
    expect(await guest()).toBe(first);
    expect(bootstraps).toBe(1);
    expect(events.filter((event) => event.name === "base.building")).toHaveLength(1);
  });

  test("tries a failed bootstrap again: those who waited share the failure, the next caller does not", async () => {
    let bootstraps = 0;
    const guest = initialiseGuestRootfs({
      type: "disk",
      image: async () => {
        bootstraps += 1;
        if (bootstraps === 1) throw new Error("no network");
        return image;
      },
      cache: folder.cache,
      options,
    });
    const failed = await Promise.allSettled([guest(), guest()]);
    expect(failed.map((each) => each.status)).toEqual(["rejected", "rejected"]);
    expect(bootstraps).toBe(1);
    expect(await guest()).toMatchObject({ type: "disk" });
    expect(bootstraps).toBe(2);
  });

  test("keeps a base with injected files apart from one without", async () => {
    const plain = initialiseGuestRootfs({
      type: "disk",
      image: async () => image,
      cache: folder.cache,
      options,
    });
    const withAgent = initialiseGuestRootfs({
      type: "disk",
      image: async () => image,
      cache: folder.cache,
      options,
      inject: [{ path: "/sbin/agent", content: Buffer.from("agent"), mode: 0o755 }],
    });
    const [a, b] = [await plain(), await withAgent()];
    if (a.type !== "disk" || b.type !== "disk") throw new Error("both have a disk");
    expect(b.base.key).not.toBe(a.base.key);
  });

  test("makes no disk for an initial RAM disk", async () => {
    expect(
      await initialiseGuestRootfs({ type: "initramfs", initrdPath: "/boot/initrd" })(),
    ).toEqual({
      type: "initramfs",
      initrdPath: "/boot/initrd",
    });
  });
});

describe("bootstrapGuestImage", () => {
  test("needs no store and no network: its base is built from code alone", async () => {
    const bootstrap = bootstrapGuestImage({ architecture: "amd64" });
    const guest = initialiseGuestRootfs({
      type: "disk",
      image: async () => bootstrap,
      cache: folder.cache,
      options,
    });
    const made = await guest();
    if (made.type !== "disk") throw new Error("it has a disk");
    expect(made.imageDigest).toBe(bootstrap.digest);
    expect(made.environment.map(([name]) => name)).toContain("PATH");
    expect(await folder.cache.verify(made.base.key)).toBe(true);
  });
});
