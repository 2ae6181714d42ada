import { setImmediate } from "node:timers/promises";
import {
  bytesSource,
  copy,
  copyGraph,
  type Descriptor,
  describe as describeContent,
  forEachLimited,
  MemoryTarget,
  mediaTypes,
} from "@box/oras";
import { drain } from "@box/test-support";
import { describe, expect, test } from "vitest";
import { expectCode } from "../expect-code.ts";
import { add, encodeJson, sampleImage } from "../sample-image.ts";

test("an index that lists one digest as a blob and as a manifest is copied with all below it", async () => {
  const source = new MemoryTarget();
  const { target, root } = await sampleImage();
  await copy(target, "v1", source);
  const opaque = { ...root, mediaType: "application/octet-stream" };
  for (const manifests of [
    [opaque, root],
    [root, opaque],
  ]) {
    const index = { schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests };
    const bytes = Buffer.from(JSON.stringify(index));
    const descriptor = describeContent(mediaTypes.ociIndex, bytes);
    await source.push(descriptor, bytesSource(bytes));
    const destination = new MemoryTarget();
    await copyGraph(source, descriptor, destination);
    const { layers, config } = JSON.parse(Buffer.from(await drain(source.fetch(root))).toString());
    for (const one of [...layers, config]) expect(await destination.exists(one)).toBe(true);
  }
});

describe("copy", () => {
  test("brings a whole image and its tag, and tells about each part", async () => {
    const image = await sampleImage();
    const destination = new MemoryTarget();
    const events: string[] = [];
    const root = await copy(image.target, "v1", destination, "other", {
      onEvent: (event) => events.push(`${event.type} ${event.descriptor.digest}`),
    });
    expect(root).toEqual(image.root);
    expect(await destination.resolve("other")).toEqual(image.root);
    expect(await drain(destination.fetch(image.root))).toEqual(image.manifestBytes);
    for (const one of [image.config, ...image.layers, image.root]) {
      expect(events).toContain(`copied ${one.digest}`);
      expect(await destination.exists(one)).toBe(true);
    }
    expect(events.at(-1)).toBe(`copied ${image.root.digest}`);
  });

  test("leaves what is there", async () => {
    const image = await sampleImage();
    const destination = new MemoryTarget();
    await copyGraph(image.target, image.root, destination);
    const events: string[] = [];
    await copyGraph(image.target, image.root, destination, {
      onEvent: (event) => events.push(event.type),
    });
    expect(new Set(events)).toEqual(new Set(["exists"]));
  });

  test("follows indexes within indexes and copies what they share once", async () => {
    const { target, root } = await sampleImage();
    const inner = await addIndex(target, [root, root]);
    const outer = await addIndex(target, [inner, root]);
    await target.tag(outer, "outer");
    const copied: string[] = [];
    const destination = new MemoryTarget();
    await copy(target, "outer", destination, undefined, {
      onEvent: (event) => event.type === "copied" && copied.push(event.descriptor.digest),
    });
    expect(copied.filter((digest) => digest === root.digest)).toHaveLength(1);
    expect(await destination.resolve("outer")).toEqual(outer);
  });

  test("keeps nothing of what an index says about the manifests below it", async () => {
    const { target, root } = await sampleImage();
    const index = await addIndex(target, [{ ...root, annotations: { note: "n".repeat(1000) } }]);
    const destination = new MemoryTarget();
    const told: Descriptor[] = [];
    await copyGraph(target, index, destination, {
      onEvent: ({ descriptor }) => told.push(descriptor),
    });
    expect(told.filter(({ digest }) => digest === root.digest)).toEqual([root]);
    expect(await destination.resolve(root.digest)).toEqual(root);
  });

  test("stops at the deepest nesting allowed", async () => {
    const { target, root } = await sampleImage();
    let top: Descriptor = root;
    for (let depth = 0; depth < 8; depth++) top = await addIndex(target, [top]);
    await copyGraph(target, top, new MemoryTarget());
    top = await addIndex(target, [top]);
    await expectCode(copyGraph(target, top, new MemoryTarget()), "OCI_TOO_DEEP");
  });

  test("copies only what is selected", async () => {
    const image = await sampleImage();
    const destination = new MemoryTarget();
    await copyGraph(image.target, image.root, destination, {
      selectSuccessors: (_parent, all) => all.slice(0, 1),
    });
    expect(await destination.exists(image.config)).toBe(true);
    expect(await destination.exists(image.layers[0] as Descriptor)).toBe(false);
  });

  test("leaves no manifest without its parts when a part is missing", async () => {
    const { target, root } = await sampleImage();
    const absent = { ...root, digest: `sha256:${"1".repeat(64)}` } as const;
    const top = await addIndex(target, [absent]);
    const destination = new MemoryTarget();
    await expectCode(copyGraph(target, top, destination), "OCI_NOT_FOUND");
    expect(await destination.exists(top)).toBe(false);
  });

  test("stops when it is aborted", async () => {
    const { target, root } = await sampleImage();
    const signal = AbortSignal.abort(new Error("enough"));
    await expectCode(copyGraph(target, root, new MemoryTarget(), { signal }), "ORAS_ABORTED");
  });
});

describe("the manifests of a copy", () => {
  /** A memory target that counts the manifests that were read and are not copied yet. */
  function counting(source: MemoryTarget, destination: MemoryTarget) {
    const reads = new Map<string, number>();
    const open = new Set<string>();
    const counts = { reads, mostOpen: 0 };
    const fetch = source.fetch.bind(source);
    source.fetch = (descriptor, options) => {
      reads.set(descriptor.digest, (reads.get(descriptor.digest) ?? 0) + 1);
      open.add(descriptor.digest);
      counts.mostOpen = Math.max(counts.mostOpen, open.size);
      return fetch(descriptor, options);
    };
    const push = destination.push.bind(destination);
    destination.push = async (descriptor, ...rest) => {
      await push(descriptor, ...rest);
      open.delete(descriptor.digest);
    };
    return counts;
  }

  test("are few at once, however wide their tree is at every level", async () => {
    const source = new MemoryTarget();
    let count = 0;
    const grow = async (levels: number): Promise<Descriptor> => {
      const below: Descriptor[] = [];
      for (let child = 0; levels > 0 && child < 4; child++) below.push(await grow(levels - 1));
      return addIndex(source, below, String(count++));
    };
    const root = await grow(4);
    const destination = new MemoryTarget();
    const counted = counting(source, destination);
    await copyGraph(source, root, destination);
    expect(counted.reads.size).toBe(341);
    expect(await destination.exists(root)).toBe(true);
    // Four ways from the root to a leaf.
    expect(counted.mostOpen).toBeLessThanOrEqual(17);
    expect(counted.mostOpen).toBeGreaterThan(5);
  });

  test("are kept up to 16 MiB, and those beyond that are read again", async () => {
    const source = new MemoryTarget();
    const chain = [await addIndex(source, [], "x".repeat(4_000_000))];
    for (let level = 1; level < 6; level++) {
      chain.unshift(await addIndex(source, chain.slice(0, 1), "x".repeat(4_000_000)));
    }
    const [root] = chain as [Descriptor];
    const destination = new MemoryTarget();
    const { reads } = counting(source, destination);
    await copyGraph(source, root, destination);
    expect(chain.map(({ digest }) => reads.get(digest))).toEqual([1, 1, 1, 1, 2, 2]);
    // What was kept is let go: one after the other needs no more than one.
    const images = new MemoryTarget();
    const few: Descriptor[] = [];
    for (let one = 0; one < 6; one++) {
      few.push(await addIndex(images, [], `${one}${"y".repeat(3_500_000)}`));
    }
    const flat = await addIndex(images, few, "");
    const copied = new MemoryTarget();
    const again = counting(images, copied);
    await copyGraph(images, flat, copied, { concurrency: 1 });
    expect(few.map(({ digest }) => again.reads.get(digest))).toEqual([1, 1, 1, 1, 1, 1]);
  });
});

describe("work on many items", () => {
  const items = Array.from({ length: 9 }, (_, index) => index);

  test.each([1, 4, 20])(
    "has no more than %i going at once, and no fewer while there are more",
    async (limit) => {
      const running = new Set<number>();
      const done: number[] = [];
      const sizes: number[] = [];
      await forEachLimited(items, limit, async (item) => {
        running.add(item);
        sizes.push(running.size);
        await setImmediate();
        running.delete(item);
        done.push(item);
      });
      expect(Math.max(...sizes)).toBe(Math.min(limit, items.length));
      expect(done).toEqual(items);
    },
  );

  test("ends with its first failure once what was going has ended, and starts nothing more", async () => {
    const started: number[] = [];
    const ended: number[] = [];
    const working = forEachLimited(items, 3, async (item) => {
      started.push(item);
      await setImmediate();
      if (item === 1) throw new Error("first");
      await setImmediate();
      ended.push(item);
      if (item === 2) throw new Error("second");
    });
    await expect(working).rejects.toThrow("first");
    expect(started).toEqual([0, 1, 2]);
    expect(ended).toEqual([0, 2]);
  });

  test("is how the blobs of a manifest are copied", async () => {
    const source = new MemoryTarget();
    const layers = await Promise.all(
      items.map((item) => add(source, "application/x", Buffer.from(`blob ${item}`))),
    );
    const config = await add(source, mediaTypes.ociConfig, encodeJson({}));
    const manifest = { schemaVersion: 2, mediaType: mediaTypes.ociManifest, config, layers };
    const root = await add(source, mediaTypes.ociManifest, encodeJson(manifest));
    for (const [options, most] of [
      [{}, 4],
      [{ concurrency: 2 }, 2],
    ] as const) {
      const destination = new MemoryTarget();
      const push = destination.push.bind(destination);
      let running = 0;
      const sizes: number[] = [];
      destination.push = async (...given) => {
        sizes.push(++running);
        await setImmediate();
        await push(...given);
        running--;
      };
      await copyGraph(source, root, destination, options);
      expect(Math.max(...sizes)).toBe(most);
    }
  });
});

describe("a target in memory", () => {
  test("refuses content that does not fit its descriptor", async () => {
    const target = new MemoryTarget();
    const { layers } = await sampleImage();
    const [layer] = layers as [Descriptor];
    const right = new Uint8Array(layer.size);
    await expectCode(target.push(layer, bytesSource(right)), "OCI_DIGEST_MISMATCH");
    await expectCode(target.push(layer, bytesSource(right.subarray(1))), "OCI_SIZE_MISMATCH");
    await expectCode(
      target.push(layer, bytesSource(new Uint8Array(layer.size + 1))),
      "OCI_SIZE_MISMATCH",
    );
    expect(await target.exists(layer)).toBe(false);
  });

  test("says what it does not have", async () => {
    const target = new MemoryTarget();
    const { root } = await sampleImage();
    await expectCode(target.resolve("v1"), "OCI_NOT_FOUND");
    await expectCode(target.fetch(root), "OCI_NOT_FOUND");
    await expectCode(target.tag(root, "v1"), "OCI_NOT_FOUND");
  });

  test("reads from an offset and lists its tags", async () => {
    const { target, root, manifestBytes } = await sampleImage();
    expect(await drain(target.fetch(root, { offset: 10 }))).toEqual(manifestBytes.subarray(10));
    expect(target.tags()).toEqual(["v1"]);
    expect(await target.resolve(root.digest)).toEqual(root);
  });
});

async function addIndex(
  target: MemoryTarget,
  manifests: readonly Descriptor[],
  note?: string,
): Promise<Descriptor> {
  const annotations = note === undefined ? {} : { annotations: { note } };
  const index = { schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests, ...annotations };
  const bytes = encodeJson(index);
  return add(target, mediaTypes.ociIndex, bytes);
}
