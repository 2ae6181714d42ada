import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import {
  copyFileDurably,
  createFileDurably,
  ensureDirectory,
  type FileSystemOperation,
  nodeFileSystem,
  observeFileSystem,
  removeDeadTemporaries,
  removeFileDurably,
  renameDurably,
  temporaryPathFor,
  writeFileDurably,
} from "@box/io/node";
import { describe, expect, test } from "vitest";
import { temporaryFolder } from "./temporary-folder.ts";

const eio = (): Error => Object.assign(new Error("EIO: i/o error, x"), { code: "EIO" });

describe("createFileDurably", () => {
  test("syncs the file before it gets its name, and the folder after", async () => {
    const folder = temporaryFolder();
    const told: string[] = [];
    const fs = observeFileSystem(nodeFileSystem, ({ kind }) => told.push(kind));
    await writeFileDurably(join(folder, "a"), "hello", { fs, mode: 0o444 });
    expect(told).toEqual(["open", "write", "chmod", "sync", "rename", "syncDirectory"]);
    expect(readFileSync(join(folder, "a"), "utf8")).toBe("hello");
    expect(statSync(join(folder, "a")).mode & 0o777).toBe(0o444);
    expect(readdirSync(folder)).toEqual(["a"]);
  });

  test("leaves the old file or the new one, and no temporary, whichever call fails", async () => {
    for (let failing = 1; ; failing++) {
      const folder = temporaryFolder();
      const path = join(folder, "a");
      writeFileSync(path, "old");
      let fired = false;
      const fs = observeFileSystem(nodeFileSystem, ({ index, kind }) => {
        if (index !== failing || kind === "unlink") return;
        fired = true;
        throw eio();
      });
      const failed = await writeFileDurably(path, "new", { fs }).then(
        () => false,
        (error) => error.kind === "io",
      );
      expect(failed).toBe(fired);
      expect(readdirSync(folder)).toEqual(["a"]);
      // Only the last call, the folder's sync, comes after the rename.
      expect(readFileSync(path, "utf8")).toBe(failing < 6 ? "old" : "new");
      if (!fired) break;
    }
  });

  test("never tries a failed sync again", async () => {
    const syncs: FileSystemOperation[] = [];
    const fs = observeFileSystem(nodeFileSystem, (operation) => {
      if (operation.kind !== "sync") return;
      syncs.push(operation);
      throw eio();
    });
    const path = join(temporaryFolder(), "a");
    await expect(writeFileDurably(path, "x", { fs })).rejects.toMatchObject({
      code: "IO_SYNC_FAILED",
    });
    expect(syncs).toHaveLength(1);
    expect(existsSync(path)).toBe(false);
  });

  test("refuses an existing file when asked to be exclusive", async () => {
    const folder = temporaryFolder();
    const path = join(folder, "a");
    await writeFileDurably(path, "one", { exclusive: true });
    await expect(writeFileDurably(path, "two", { exclusive: true })).rejects.toMatchObject({
      code: "IO_EXISTS",
      kind: "conflict",
    });
    expect(readFileSync(path, "utf8")).toBe("one");
    expect(readdirSync(folder)).toEqual(["a"]);
  });

  test("stops on an abort and passes on what fill threw, with nothing left", async () => {
    const folder = temporaryFolder();
    const path = join(folder, "a");
    const controller = new AbortController();
    const aborted = createFileDurably(path, async () => controller.abort(), {
      signal: controller.signal,
    });
    await expect(aborted).rejects.toMatchObject({ name: "AbortError" });
    const thrown = createFileDurably(path, () => Promise.reject(new Error("mine")));
    await expect(thrown).rejects.toThrow("mine");
    expect(readdirSync(folder)).toEqual([]);
  });
});

describe("folders and names", () => {
  test("makes missing parents and syncs each in its own parent", async () => {
    const folder = temporaryFolder();
    const synced: string[] = [];
    const fs = observeFileSystem(nodeFileSystem, ({ kind, path }) => {
      if (kind === "syncDirectory") synced.push(path);
    });
    const made = await ensureDirectory(join(folder, "a", "b"), { fs });
    expect(made).toEqual([join(folder, "a"), join(folder, "a", "b")]);
    expect(synced).toEqual([folder, join(folder, "a")]);
    expect(await ensureDirectory(join(folder, "a", "b"))).toEqual([]);
    expect(statSync(join(folder, "a")).mode & 0o777).toBe(0o700);
  });

  test("takes a folder that another process made in between, refuses a file", async () => {
    const folder = temporaryFolder();
    const fs = observeFileSystem(nodeFileSystem, ({ kind, path }) => {
      if (kind === "mkdir") mkdirSync(path);
    });
    expect(await ensureDirectory(join(folder, "a"), { fs })).toEqual([]);
    writeFileSync(join(folder, "f"), "");
    await expect(ensureDirectory(join(folder, "f"))).rejects.toMatchObject({
      code: "IO_FAILED",
      details: { errno: "ENOTDIR" },
    });
    await expect(ensureDirectory(join(folder, "f", "x"))).rejects.toMatchObject({ kind: "io" });
  });

  test("renames and removes, syncing the folders they touch", async () => {
    const folder = temporaryFolder();
    mkdirSync(join(folder, "d"));
    const told: string[] = [];
    const fs = observeFileSystem(nodeFileSystem, ({ kind }) => told.push(kind));
    writeFileSync(join(folder, "a"), "x");
    await renameDurably(join(folder, "a"), join(folder, "d", "b"), { fs });
    expect(await removeFileDurably(join(folder, "d", "b"), { fs })).toBe(true);
    expect(await removeFileDurably(join(folder, "d", "b"), { fs })).toBe(false);
    expect(told).toEqual([
      "rename",
      "syncDirectory",
      "syncDirectory",
      "unlink",
      "syncDirectory",
      "unlink",
    ]);
    await expect(renameDurably(join(folder, "x"), join(folder, "y"))).rejects.toMatchObject({
      code: "IO_NOT_FOUND",
    });
    await expect(removeFileDurably(join(folder, "d"))).rejects.toMatchObject({ kind: "io" });
  });

  test("collects the temporaries of dead processes and leaves those of live ones", async () => {
    const folder = temporaryFolder();
    const mine = temporaryPathFor(join(folder, "a"));
    const dead = ".tmp-999999999-1-0123456789abcdef";
    const reused = `.tmp-${process.pid}-1-0123456789abcdef`;
    for (const path of [mine, join(folder, dead), join(folder, reused), join(folder, "keep")]) {
      writeFileSync(path, "");
    }
    const found = await removeDeadTemporaries(folder, { dryRun: true });
    expect(found.sort()).toEqual([dead, reused].sort());
    expect(readdirSync(folder)).toHaveLength(4);
    expect((await removeDeadTemporaries(folder)).sort()).toEqual(found);
    expect(readdirSync(folder)).toHaveLength(2);
    expect(await removeDeadTemporaries(join(folder, "none"))).toEqual([]);
    await expect(removeDeadTemporaries(join(folder, "keep"))).rejects.toMatchObject({ kind: "io" });
  });

  test("leaves the temporaries of processes that it cannot see, and takes those of earlier boots", async () => {
    const folder = temporaryFolder();
    const own = basename(temporaryPathFor(join(folder, "a")));
    const [, pid, start, namespace, boot] = own.split("-");
    const name = (parts: readonly (string | undefined)[]): string =>
      `.tmp-${parts.join("-")}-0123456789abcdef`;
    const kept = [
      name([pid, start, namespace, boot]),
      name(["999999999", "1", "1", boot]),
      name([pid, "1", "1", boot]),
    ];
    const dead = [
      name(["999999999", "1", namespace, boot]),
      name([pid, "1", namespace, boot]),
      name([pid, start, namespace, "00000000"]),
      name([pid, start, "1", "00000000"]),
    ];
    for (const one of [...kept, ...dead]) writeFileSync(join(folder, one), "");
    expect((await removeDeadTemporaries(folder)).sort()).toEqual(dead.sort());
    expect(readdirSync(folder).sort()).toEqual(kept.sort());
  });

  test("copies a file whole, with holes for blocks of zeros, or leaves nothing", async () => {
    const folder = temporaryFolder();
    const [from, to] = [join(folder, "from"), join(folder, "to")];
    const content = Buffer.alloc(3 * 1024 * 1024 + 5);
    content.write("one", 0);
    content.write("two", 2 * 1024 * 1024 + 4095);
    content.write("end", content.byteLength - 3);
    writeFileSync(from, content);
    const told: Uint8Array[] = [];
    expect(await copyFileDurably(from, to, { onBytes: (bytes) => told.push(bytes) })).toBe(
      content.byteLength,
    );
    expect(readFileSync(to).equals(content)).toBe(true);
    expect(Buffer.concat(told).equals(content)).toBe(true);
    expect(statSync(to).blocks).toBeLessThan(statSync(from).blocks / 10);
    await expect(copyFileDurably(from, to, { exclusive: true })).rejects.toMatchObject({
      code: "IO_EXISTS",
    });
    let reads = 0;
    const shrinking = observeFileSystem(nodeFileSystem, ({ kind }) => {
      reads += kind === "read" ? 1 : 0;
      if (reads === 2) writeFileSync(from, "short");
    });
    await expect(
      copyFileDurably(from, join(folder, "other"), { fs: shrinking }),
    ).rejects.toMatchObject({ code: "IO_FAILED" });
    expect(readdirSync(folder).sort()).toEqual(["from", "to"]);
  });
});
