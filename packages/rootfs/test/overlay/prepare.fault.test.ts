import { readdir, readFile, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { MemoryFile } from "@box/io";
import { type FileSystemOperation, nodeFileSystem, observeFileSystem } from "@box/io/node";
import { checkStructure } from "@box/qcow2";
import type { OverlayRecord, PreparedOverlay } from "@box/rootfs";
import { describe, expect, test } from "vitest";
import { lookAt, makeTestDisk, quarantined, type TestDisk } from "./disk.ts";

/** Fails the call with this number, once. */
function failing(index: number): {
  fs: typeof nodeFileSystem;
  hit: () => FileSystemOperation | undefined;
} {
  let hit: FileSystemOperation | undefined;
  const fs = observeFileSystem(nodeFileSystem, (operation) => {
    if (operation.index !== index) return;
    hit = operation;
    throw Object.assign(new Error("EIO: i/o error"), { code: "EIO", errno: -5 });
  });
  return { fs, hit: () => hit };
}

type Outcome = PreparedOverlay | { readonly error: unknown };

/** Runs `attempt` with the first call failing, then the second, until none fails. */
async function failEach(
  arrange: (disk: TestDisk) => Promise<void>,
  record: OverlayRecord | undefined,
  judge: (disk: TestDisk, outcome: Outcome, hit: FileSystemOperation) => Promise<void>,
): Promise<number> {
  for (let index = 1; ; index++) {
    const disk = await makeTestDisk();
    try {
      await arrange(disk);
      const { fs, hit } = failing(index);
      const outcome = await disk
        .prepare({ fs, ...(record === undefined ? {} : { record }) })
        .catch((error: unknown) => ({ error }));
      const failed = hit();
      if (failed === undefined) return index - 1;
      await judge(disk, outcome, failed);
    } finally {
      await disk.remove();
    }
  }
}

async function isWhole(path: string): Promise<boolean> {
  const { leaks } = await checkStructure(new MemoryFile(await readFile(path)));
  return leaks === 0;
}

async function litter(disk: TestDisk): Promise<string[]> {
  return (await readdir(dirname(disk.path))).filter((name) => name.startsWith(".tmp-"));
}

describe("with each file system call failing once", () => {
  test("a sound overlay is kept or refused as io, and never changed", async () => {
    let before: unknown;
    const calls = await failEach(
      async (disk) => {
        await disk.make();
        before = await lookAt(disk.path);
      },
      undefined,
      async (disk, outcome) => {
        expect(await lookAt(disk.path)).toEqual(before);
        if ("error" in outcome) expect(outcome.error).toMatchObject({ kind: "io" });
        else expect(outcome.outcome).toBe("kept");
        expect(await quarantined(disk)).toEqual([]);
      },
    );
    expect(calls).toBeGreaterThan(5);
  });

  test("a corrupt overlay is never lost, and its place is never left empty", async () => {
    const calls = await failEach(
      async (disk) => {
        await disk.make();
        await writeFile(disk.path, "damaged");
      },
      undefined,
      async (disk, outcome, hit) => {
        const aside = await quarantined(disk);
        const places = [disk.path, ...aside.map((name) => join(disk.quarantineDirectory, name))];
        const contents = await Promise.all(places.map((path) => readFile(path)));
        const kept = contents.filter((bytes) => bytes.toString("latin1") === "damaged");
        expect(kept, `${hit.kind} ${hit.path}`).toHaveLength(1);
        if (contents[0]?.toString("latin1") !== "damaged")
          expect(await isWhole(disk.path)).toBe(true);
        if ("error" in outcome) expect(outcome.error).toMatchObject({ kind: "io" });
        expect(await litter(disk)).toEqual([]);
        // What was interrupted heals by itself.
        await expect(disk.prepare()).resolves.toBeDefined();
      },
    );
    expect(calls).toBeGreaterThan(20);
  });

  test("an absent overlay is made whole, or not at all", async () => {
    const calls = await failEach(
      async (disk) => {
        await disk.make();
        await rm(disk.path);
      },
      { type: "never-made" },
      async (disk, outcome) => {
        const found = (await readdir(dirname(disk.path))).filter((name) => !name.startsWith("."));
        if (found.length > 0) expect(await isWhole(disk.path)).toBe(true);
        if (!("error" in outcome)) expect(found).toHaveLength(1);
        expect(await litter(disk)).toEqual([]);
        await expect(disk.prepare()).resolves.toBeDefined();
      },
    );
    expect(calls).toBeGreaterThan(10);
  });
});
