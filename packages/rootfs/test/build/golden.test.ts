import { createHash } from "node:crypto";
import { MemoryFile } from "@box/io";
import { buildRootfs, type RootfsOptions, type RootfsRecipe } from "@box/rootfs";
import { describe, expect, test } from "vitest";
import { archiveOf, directory, file, layer, layerOfArchive } from "../merge/layers.ts";
import { sampleLayers } from "../merge/sample-layers.ts";
import { soundBytes } from "./sound-image.ts";

async function digestOf(recipe: RootfsRecipe): Promise<string> {
  const sink = new MemoryFile();
  await buildRootfs(recipe, sink);
  return createHash("sha256")
    .update(await soundBytes(sink))
    .digest("hex");
}

/**
 * A digest here changes only together with the writer's version: bases of older releases keep their keys, and an
 * overlay must never meet other bytes under the key that it was made on.
 */
describe("the bytes of a root file system do not change from one release to the next:", () => {
  const layers = sampleLayers.map((entries) => layerOfArchive(archiveOf(entries)));

  test.each<[string, RootfsOptions, string]>([
    ["as small as can be", {}, "3a89dc92117c4113e13b2610d5c3ae2a60a2a1d76833e75499ad83cba612cad5"],
    [
      "without a journal",
      { hasJournal: false },
      "940b163aba543b45f9106b4e839d0c107ac191938633512bcafb6066ac0bbca5",
    ],
    [
      "with free space and a time",
      { freeBytes: 9_000_000, epochSeconds: 1_700_000_000 },
      "33edecfffc831ebf4da0621f7b147b8d619b5646c8c82330ea31b5bfe06b0c69",
    ],
    [
      "of two groups",
      { sizeBytes: 2 ** 27 + 2 ** 25 },
      "34cb349f26bdd3895d30c05c70fab3fa8add4c19719242e7b6b8e655288f6b37",
    ],
  ])("one of everything, %s", async (_what, options, expected) => {
    expect(await digestOf({ layers, options })).toBe(expected);
  });

  test("with injected files", async () => {
    const inject = [{ path: "/sbin/agent", content: Buffer.from("agent"), mode: 0o755 }];
    expect(await digestOf({ layers, inject })).toBe(
      "2b46abf8b1200e54e3e0882cbe4c834ed239ee5b7bb8b181c0592d7433b74045",
    );
  });

  test("large directories and attributes in inodes of their own", async () => {
    const names = Array.from({ length: 3_000 }, (_, i) => file(`many/name-${i}`, i % 7 ? "" : "x"));
    const xattrs = [
      { name: Buffer.from("user.large"), value: new Uint8Array(20_000).fill(7) },
      { name: Buffer.from("trusted.block"), value: new Uint8Array(3_000).fill(8) },
    ];
    const top = layer(directory("many"), ...names, file("large", "x", { xattrs }));
    expect(await digestOf({ layers: [top], options: { hasJournal: false } })).toBe(
      "b6a17379e04b182c6f5d659a79f2d37d243f41a786c2850bd69776248962e92f",
    );
  });
});
