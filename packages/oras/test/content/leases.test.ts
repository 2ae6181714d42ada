import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import {
  copy,
  copyGraph,
  type Descriptor,
  extendedCopy,
  OciLayout,
  pack,
  pushFiles,
} from "@box/oras";
import { describe, expect, test, vi } from "vitest";
import { sampleImage } from "../sample-image.ts";
import { temporaryFolder } from "../temporary-folder.ts";

const artifactType = "application/x.report";

async function emptyLayout(): Promise<OciLayout> {
  return OciLayout.ensure(join(await temporaryFolder(), "layout"));
}

async function keptIn(layout: OciLayout): Promise<readonly string[]> {
  const kept = await layout.exclusively(() => layout.kept());
  return [...new Set(kept.map(({ digest }) => digest))].sort();
}

function digestsOf(...contents: readonly Descriptor[]): readonly string[] {
  return contents.map(({ digest }) => digest).sort();
}

describe("a lease of a layout", () => {
  test("keeps what it is told to, more of it as it grows, and nothing once it is given back", async () => {
    const layout = await emptyLayout();
    const { root, config, layers } = await sampleImage();
    const [layer] = layers as [Descriptor];
    const lease = await layout.keep([root]);
    await lease.add([root, config]);
    await lease.add([config, layer]);
    expect(await keptIn(layout)).toEqual(digestsOf(root, config, layer));
    const folder = join(layout.directory, "ingest/leases");
    const [name = ""] = (await readdir(folder)).filter((one) => one.endsWith(".json"));
    // Each once.
    expect((await readFile(join(folder, name), "utf8")).split("sha256:")).toHaveLength(4);
    await lease[Symbol.asyncDispose]();
    expect(await keptIn(layout)).toEqual([]);
    expect(await readdir(folder)).toEqual([]);
  });

  test("waits for whoever collects garbage, and so does its growth", async () => {
    const waiting: string[] = [];
    const layout = (await emptyLayout()).with({ onWait: (what) => waiting.push(what) });
    const { root, config } = await sampleImage();
    await using lease = await layout.keep([root]);
    const order: string[] = [];
    const begun = Promise.withResolvers<void>();
    const collected = Promise.withResolvers<void>();
    const collecting = layout.exclusively(async () => {
      begun.resolve();
      await collected.promise;
      order.push("collected");
    });
    await begun.promise;
    const others = [layout.keep([config]), lease.add([config])].map(async (work) => {
      const made = await work;
      order.push("kept");
      await made?.[Symbol.asyncDispose]();
    });
    await vi.waitFor(() => expect(waiting).toHaveLength(2));
    // What is kept already needs no one's leave.
    await lease.add([root]);
    expect(waiting).toHaveLength(2);
    collected.resolve();
    await Promise.all([collecting, ...others]);
    expect(order).toEqual(["collected", "kept", "kept"]);
    const signal = AbortSignal.abort(new Error("enough"));
    await expect(layout.keep([], { signal })).rejects.toThrow("enough");
    expect(await keptIn(layout)).toEqual(digestsOf(root, config));
  });
});

describe("what is copied into a layout is kept until it has its name", () => {
  test("by copy and extendedCopy: each manifest's parts before the first is looked for", async () => {
    const { target, root, config, layers } = await sampleImage();
    const report = await pack(target, { artifactType, subject: root });
    for (const way of [copy, extendedCopy]) {
      const layout = await emptyLayout();
      const kept: (readonly string[])[] = [];
      for (const method of ["exists", "tag"] as const) {
        const original = layout[method].bind(layout) as (...given: never[]) => Promise<never>;
        layout[method] = async (...given: never[]) => {
          kept.push(await keptIn(layout));
          return original(...given);
        };
      }
      await way(target, "v1", layout);
      expect(kept[0]).toEqual(digestsOf(root, config, ...layers));
      expect(kept.at(-1)).toEqual(expect.arrayContaining([root.digest, config.digest]));
      if (way === extendedCopy) expect(kept.at(-1)).toContain(report.digest);
      expect(await keptIn(layout)).toEqual([]);
    }
  });

  test("by the lease that a caller gives, which stays open", async () => {
    const { target, root, config, layers } = await sampleImage();
    const layout = await emptyLayout();
    await using lease = await layout.keep([]);
    await copyGraph(target, root, layout, { lease });
    expect(await keptIn(layout)).toEqual(digestsOf(root, config, ...layers));
    const file = join(import.meta.dirname, "leases.test.ts");
    const [blob] = (await pushFiles(layout, [{ path: file }], { lease })) as [Descriptor];
    expect(await keptIn(layout)).toContain(blob.digest);
    const packed = await pack(layout, { artifactType, layers: [blob], lease });
    expect(await keptIn(layout)).toEqual(expect.arrayContaining([...digestsOf(blob, packed)]));
    expect(await keptIn(layout)).toHaveLength(7);
  });

  test("and let go when a copy fails", async () => {
    const { target, root } = await sampleImage();
    const layout = await emptyLayout();
    layout.push = () => Promise.reject(new Error("no more"));
    await expect(copyGraph(target, root, layout)).rejects.toThrow("no more");
    expect(await keptIn(layout)).toEqual([]);
  });
});
