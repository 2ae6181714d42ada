import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { bytesSource, describe } from "@box/oras";
import { Runtime } from "@box/runtime";
import { expect } from "vitest";
import type { TemplateHome } from "./template-home.ts";
import type { VerbCase } from "./verb-case.ts";

const reference = "REGISTRY/hello:v1";
const type = "application/octet-stream";

/** Every blob of the home's image store is what its digest says; the names of what is there, and of nothing else. */
async function namesOfWhole(runtime: Runtime): Promise<readonly string[]> {
  const store = await runtime.imageStore();
  expect(await store.verify()).toEqual([]);
  const names = (await store.list()).map((stored) => stored.reference ?? "");
  for (const name of names) await store.get(name);
  return names.map((name) => name.slice(name.lastIndexOf("/") + 1));
}

const loose = [1, 2, 3].map((byte) => new Uint8Array(1000).fill(byte));

/** How many blobs are there that nothing leads to. */
async function looseIn(runtime: Runtime): Promise<number> {
  const { layout } = await runtime.imageStore();
  const there = await Promise.all(loose.map((bytes) => layout.exists(describe(type, bytes))));
  return there.filter((isThere) => isThere).length;
}

/** Partial downloads, which are kept to go on with. */
async function partialsOf({ home }: Runtime): Promise<readonly string[]> {
  const names = await readdir(join(home.images, "ingest")).catch(() => []);
  return names.filter((name) => /^sha256-[0-9a-f]{64}$/.test(name));
}

/** An image with a name, and blobs that nothing leads to. */
async function leaveGarbage({ home, registry }: TemplateHome): Promise<void> {
  await using runtime = await Runtime.open({ home });
  const store = await runtime.imageStore();
  await store.pull(reference.replace("REGISTRY", registry));
  for (const bytes of loose) await store.layout.push(describe(type, bytes), bytesSource(bytes));
}

/** Verbs that bring images and take them away. */
export const imageCases: readonly VerbCase[] = [
  {
    verb: "pull",
    args: [reference],
    check: async (runtime, isDone) => {
      const names = await namesOfWhole(runtime);
      expect(isDone ? [["hello:v1"]] : [["hello:v1"], []]).toContainEqual(names);
      if (isDone) expect(await partialsOf(runtime)).toEqual([]);
    },
  },
  {
    verb: "prune",
    when: "of images",
    args: [{ imageGraceMs: 0 }],
    before: leaveGarbage,
    check: async (runtime, isDone) => {
      expect(await namesOfWhole(runtime)).toEqual(["hello:v1"]);
      if (isDone) expect(await looseIn(runtime)).toBe(0);
    },
  },
];
