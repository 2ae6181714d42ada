import { tmpdir } from "node:os";
import { MemoryFile } from "@box/io";
import { buildRootfs, type InjectedFile, type RootfsRecipe, resolveRecipe } from "@box/rootfs";
import { describe, expect, test } from "vitest";
import { bytesFromKey } from "../../src/build/recipe.ts";
import { directory, file, layer, merge, nodeAt } from "../merge/layers.ts";

const a = layer(file("a"));
const b = layer(file("b"));
const agent: InjectedFile = { path: "/sbin/agent", content: Buffer.from("agent"), mode: 0o755 };

describe("resolveRecipe", () => {
  const keyOf = (recipe: RootfsRecipe) => resolveRecipe(recipe).key;

  test("gives a key that follows from everything that decides the bytes", () => {
    const keys = [
      keyOf({ layers: [a, b] }),
      keyOf({ layers: [b, a] }),
      keyOf({ layers: [a] }),
      keyOf({ layers: [a, b], options: { freeBytes: 4096 } }),
      keyOf({ layers: [a, b], options: { sizeBytes: 4096 } }),
      keyOf({ layers: [a, b], options: { hasJournal: false } }),
      keyOf({ layers: [a, b], options: { epochSeconds: 1 } }),
      keyOf({ layers: [a, b], inject: [agent] }),
      keyOf({ layers: [a, b], inject: [{ ...agent, mode: 0o700 }] }),
      keyOf({ layers: [a, b], inject: [{ ...agent, uid: 1 }] }),
      keyOf({ layers: [a, b], inject: [{ ...agent, gid: 1 }] }),
      keyOf({ layers: [a, b], inject: [{ ...agent, path: "/agent" }] }),
      keyOf({ layers: [a, b], inject: [{ ...agent, content: Buffer.from("other") }] }),
    ];
    expect(new Set(keys).size).toBe(keys.length);
    for (const key of keys) expect(key).toMatch(/^[0-9a-f]{64}$/);
  });

  test("gives the same key for defaults that are spelled out", () => {
    const options = { hasJournal: true, epochSeconds: 0 };
    expect(keyOf({ layers: [a], inject: [], options })).toBe(keyOf({ layers: [a] }));
  });

  test("gives the same key in whatever order files are injected", () => {
    const other = { path: "/etc/other", content: Buffer.from("x") };
    expect(keyOf({ layers: [a], inject: [agent, other] })).toBe(
      keyOf({ layers: [a], inject: [other, agent] }),
    );
  });

  test("keeps its keys from one release to the next", () => {
    expect(keyOf({ layers: [] })).toMatchInlineSnapshot(
      `"e4025d896051fee91cd5252ec950b86765c3669a3dd2a57da341ddc174ce75d2"`,
    );
  });

  test("puts injected files on top", async () => {
    const over = { path: "/a", content: Buffer.from("agent"), mode: 0o755, uid: 1, gid: 2 };
    const { tree } = await merge(...resolveRecipe({ layers: [a], inject: [over, agent] }).layers);
    expect(tree.attributes(nodeAt(tree, "a"))).toMatchObject({
      mode: 0o755,
      uid: 1,
      gid: 2,
      sizeBytes: 5,
    });
    expect(tree.attributes(nodeAt(tree, "sbin/agent"))).toMatchObject({ mode: 0o755, uid: 0 });
  });

  test("says of a file that cannot be injected what its giver can do", async () => {
    const inject = [
      { path: "/a", content: Buffer.from("x") },
      { path: "/a/b", content: Buffer.from("y") },
    ];
    for (const layers of [[], [layer(file("a"))]]) {
      const built = buildRootfs({ layers, inject: inject.slice(layers.length) }, new MemoryFile());
      await expect(built).rejects.toMatchObject({
        code: "ROOTFS_PARENT_NOT_DIRECTORY",
        message: expect.stringMatching(/^cannot inject at "a\/b": a is a file/),
        hint: "give the file another path in the image",
      });
    }
  });

  test.each([{}, { scratch: { directory: tmpdir() } }])(
    "refuses an injected file in the place of a folder, built with %o, and layers may do it",
    async (options) => {
      const inject = [{ path: "/etc", content: Buffer.from("x") }];
      const lower = layer(directory("etc"), file("etc/passwd"));
      const built = buildRootfs({ layers: [lower], inject }, new MemoryFile(), options);
      await expect(built).rejects.toMatchObject({
        code: "ROOTFS_INJECTED_ON_FOLDER",
        kind: "conflict",
        message: expect.stringMatching(/^cannot inject at "etc": .*would replace a folder/),
        hint: expect.stringContaining("in that folder"),
      });
      await expect(
        buildRootfs({ layers: [lower, layer(file("etc"))] }, new MemoryFile()),
      ).resolves.toBeDefined();
    },
  );
});

test("bytesFromKey gives ids of their own for each purpose, in the form of RFC 9562", () => {
  const uuid = bytesFromKey("key", "uuid");
  expect(uuid).toHaveLength(16);
  expect((uuid[6] ?? 0) >> 4).toBe(8);
  expect((uuid[8] ?? 0) >> 6).toBe(2);
  expect(uuid).not.toEqual(bytesFromKey("key", "hash-seed"));
  expect(uuid).not.toEqual(bytesFromKey("other", "uuid"));
});
