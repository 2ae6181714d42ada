import { nodeFileSystem, observeFileSystem } from "@box/io/node";
import { resolveRecipe } from "@box/rootfs";
import { expect, test } from "vitest";
import { makeTestCache, recipe } from "./cache-folder.ts";

const { key } = resolveRecipe(recipe);

/** Builds a base with the first call failing, then the second, until none fails. */
async function failEach(errno: string, code: string): Promise<number> {
  for (let index = 1; ; index++) {
    const folder = await makeTestCache();
    try {
      let failed: string | undefined;
      const fs = observeFileSystem(nodeFileSystem, (operation) => {
        if (operation.index !== index) return;
        failed = `${operation.kind} ${operation.path}`;
        throw Object.assign(new Error(`${errno}: injected`), { code: errno });
      });
      const result = await folder
        .open(fs)
        .ensure(recipe)
        .catch((error: unknown) => ({ error }));
      if (failed === undefined) return index - 1;
      if ("error" in result && !failed.startsWith("syncDirectory") && !failed.startsWith("sync ")) {
        expect(result.error, failed).toMatchObject({ code });
      }
      expect(
        (await folder.names()).filter((name) => name.startsWith(".tmp-")),
        failed,
      ).toEqual([]);
      // Whatever failed, the next run heals it, to the same content.
      const healed = await folder.cache.ensure(recipe);
      expect(await folder.cache.verify(key), failed).toBe(true);
      if (!("error" in result)) expect(healed).toEqual(result);
    } finally {
      await folder.remove();
    }
  }
}

test("with each file system call failing once, a base is whole or not there, and the next run heals", async () => {
  expect(await failEach("EIO", "IO_FAILED")).toBeGreaterThan(20);
}, 180_000);

test("with no space at each file system call, the error says so, and nothing half-made stays", async () => {
  expect(await failEach("ENOSPC", "IO_NO_SPACE")).toBeGreaterThan(20);
}, 180_000);
