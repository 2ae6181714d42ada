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
): Promise<Descriptor> {
  const bytes = encodeJson({ schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests });
  return add(target, mediaTypes.ociIndex, bytes);
}
