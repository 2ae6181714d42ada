import {
  chmod,
  copyFile,
  open,
  readFile,
  rename,
  rm,
  stat,
  symlink,
  truncate,
  utimes,
  writeFile,
} from "node:fs/promises";
import { join } from "node:path";
import {
  type FileSystemOperation,
  nodeFileSystem,
  observeFileSystem,
  openFile,
} from "@box/io/node";
import {
  adoptedBaseKey,
  BaseCache,
  type BaseDisk,
  type BaseEvent,
  digestOf,
  resolveRecipe,
} from "@box/rootfs";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import {
  buildCount,
  countedRecipe,
  makeTestCache,
  recipe,
  type TestCache,
} from "./cache-folder.ts";

let folder: TestCache;
beforeEach(async () => {
  folder = await makeTestCache();
});
afterEach(() => folder.remove());

const { key } = resolveRecipe(recipe);

/** Changes a byte where it is: the file has the same size, and another time. */
async function flipBit(disk: BaseDisk): Promise<void> {
  await chmod(disk.path, 0o600);
  const handle = await open(disk.path, "r+");
  const byte = Buffer.alloc(1);
  await handle.read(byte, 0, 1, 5000);
  byte[0] = (byte[0] ?? 0) ^ 1;
  await handle.write(byte, 0, 1, 5000);
  await handle.close();
}

const recordPath = () => join(folder.bases, `${key}.json`);
const readRecord = async () => JSON.parse(await readFile(recordPath(), "utf8"));

/** Puts a copy in the place of the file, as bringing it back from a backup does: another inode and another time. */
async function bringBack({ path }: BaseDisk): Promise<void> {
  await copyFile(path, `${path}.backup`);
  await rename(`${path}.backup`, path);
  await utimes(path, 1000, 1000);
}

async function hearing<T>(work: (onEvent: (event: BaseEvent) => void) => Promise<T>) {
  const events: BaseEvent[] = [];
  const value = await work((event) => events.push(event));
  const names = events.map(({ name }) => name).filter((name) => name !== "base.progress");
  return { value, events, names };
}

/** A cache that notes what is read of disks. */
function watchingCache(fail?: (operation: FileSystemOperation) => void) {
  const read: string[] = [];
  const fs = observeFileSystem(nodeFileSystem, (operation) => {
    if (operation.kind === "read" && operation.path.endsWith(".ext4")) read.push(operation.path);
    fail?.(operation);
  });
  return { cache: folder.open(fs), read };
}

describe("a base whose file is the one that was verified", () => {
  test("is believed without reading it", async () => {
    const disk = await folder.cache.ensure(recipe);
    const { cache, read } = watchingCache();
    expect(await cache.ensure(recipe)).toEqual(disk);
    expect(await cache.findSound(key)).toEqual(disk);
    expect(await cache.isSound(disk.path)).toBe(true);
    expect(read).toEqual([]);
  });

  test("is believed whatever its links and permissions are", async () => {
    const disk = await folder.cache.ensure(recipe);
    await chmod(disk.path, 0o400);
    const { cache, read } = watchingCache();
    expect(await cache.isSound(disk.path)).toBe(true);
    expect(read).toEqual([]);
  });
});

describe("a base that was written to", () => {
  test("is built again to the same content where one is to be made on it, and kept in quarantine", async () => {
    const counted = countedRecipe(folder.folder);
    const disk = await folder.cache.ensure(counted);
    await flipBit(disk);
    const damaged = await readFile(disk.path);
    const { value, names, events } = await hearing((onEvent) =>
      folder.cache.ensure(counted, { onEvent }),
    );
    expect(value).toEqual(disk);
    expect(names).toEqual(["base.verifying", "base.building", "base.quarantined", "base.built"]);
    expect(await buildCount(folder.folder)).toBe(2);
    expect(await folder.cache.verify(key)).toBe(true);
    const kept = events.find(({ name }) => name === "base.quarantined")?.path ?? "";
    expect(damaged.equals(await readFile(kept))).toBe(true);
    const again = await hearing((onEvent) => folder.cache.ensure(counted, { onEvent }));
    expect(again.names).toEqual(["base.cached"]);
  });

  test("is not sound, by its key and by its path, again and again, and stays", async () => {
    const disk = await folder.cache.ensure(recipe);
    await folder.cache.isSound(disk.path);
    await flipBit(disk);
    const damaged = await readFile(disk.path);
    for (const cache of [folder.cache, folder.open()]) {
      const { value, names } = await hearing((onEvent) => cache.isSound(disk.path, { onEvent }));
      expect(value).toBe(false);
      expect(names).toEqual(["base.verifying"]);
      expect(await cache.findSound(key)).toBeUndefined();
    }
    expect(damaged.equals(await readFile(disk.path))).toBe(true);
  });

  test("is found through a link to the folder, too", async () => {
    const disk = await folder.cache.ensure(recipe);
    await flipBit(disk);
    const link = join(folder.folder, "link");
    await symlink(folder.bases, link);
    const cache = new BaseCache({ directory: link, locksDirectory: join(folder.folder, "locks") });
    expect(await cache.isSound(disk.path)).toBe(false);
    expect(await cache.isSound(join(link, `${key}.ext4`))).toBe(false);
  });

  test("is taken anew when it comes from elsewhere once more", async () => {
    const content = new TextEncoder().encode("x".repeat(6000));
    const digest = await digestOf(await openFileOf(content), content.byteLength);
    const from = { digest, sizeBytes: content.byteLength, source: "test" };
    const fill = async (file: { write?(at: number, bytes: Uint8Array): Promise<void> }) =>
      file.write?.(0, content);
    const disk = await folder.cache.adopt(from, fill);
    expect(disk.key).toBe(adoptedBaseKey(digest));
    const { cache, read } = watchingCache();
    expect(await cache.isSound(disk.path)).toBe(true);
    expect(read).toEqual([]);
    await flipBit(disk);
    const { names } = await hearing((onEvent) => folder.cache.adopt(from, fill, { onEvent }));
    expect(names).toEqual(["base.verifying", "base.quarantined", "base.built"]);
    expect(await folder.cache.verify(disk.key)).toBe(true);
    expect(await folder.cache.isSound(disk.path)).toBe(true);
  });
});

async function openFileOf(content: Uint8Array) {
  const path = join(folder.folder, "content");
  await writeFile(path, content);
  return openFile(path);
}

describe("a base that was brought back, or has a record of an older version", () => {
  test.each<[string, (disk: BaseDisk) => Promise<unknown>]>([
    ["brought back", bringBack],
    [
      "without a stamp",
      async () => {
        const { stamp: _, ...record } = await readRecord();
        await writeFile(recordPath(), JSON.stringify(record));
      },
    ],
    [
      "under another inode",
      async () => {
        const { stamp, ...record } = await readRecord();
        await writeFile(
          recordPath(),
          JSON.stringify({ ...record, stamp: { ...stamp, inode: "1" } }),
        );
      },
    ],
    [
      "with a stamp that is none",
      async () => {
        await writeFile(recordPath(), JSON.stringify({ ...(await readRecord()), stamp: [1] }));
      },
    ],
  ])("%s is read once, and then believed", async (_what, change) => {
    const counted = countedRecipe(folder.folder);
    const disk = await folder.cache.ensure(counted);
    await change(disk);
    const first = await hearing((onEvent) => folder.open().ensure(counted, { onEvent }));
    expect(first.names).toEqual(["base.verifying", "base.cached"]);
    expect(first.value).toEqual(disk);
    const { cache, read } = watchingCache();
    expect(await cache.isSound(disk.path)).toBe(true);
    expect(read).toEqual([]);
    expect(await buildCount(folder.folder)).toBe(1);
    const { mtimeNs, ino } = await stat(disk.path, { bigint: true });
    expect((await readRecord()).stamp).toEqual({ mtimeNs: `${mtimeNs}`, inode: `${ino}` });
  });

  test("is read by one of those who want it at once", async () => {
    const disk = await folder.cache.ensure(recipe);
    await bringBack(disk);
    const asked = await Promise.all(
      [1, 2, 3].map(() => hearing((onEvent) => folder.open().isSound(disk.path, { onEvent }))),
    );
    expect(asked.map(({ value }) => value)).toEqual([true, true, true]);
    expect(
      asked.flatMap(({ names }) => names).filter((name) => name === "base.verifying"),
    ).toHaveLength(1);
  });

  test("is believed where it cannot be stamped, and read again the next time", async () => {
    const disk = await folder.cache.ensure(recipe);
    await bringBack(disk);
    const isFull = ({ kind, path }: FileSystemOperation) =>
      kind === "write" && path.includes(".tmp-");
    const full = watchingCache((operation) => {
      if (isFull(operation)) throw Object.assign(new Error("ENOSPC: injected"), { code: "ENOSPC" });
    });
    expect(await full.cache.findSound(key)).toEqual(disk);
    expect((await hearing((onEvent) => folder.open().findSound(key, { onEvent }))).names).toEqual([
      "base.verifying",
    ]);
  });
});

describe("a base that cannot be read", () => {
  test("is neither sound nor damaged, and nothing is built in its place", async () => {
    const counted = countedRecipe(folder.folder);
    const disk = await folder.cache.ensure(counted);
    await bringBack(disk);
    const { cache } = watchingCache(({ kind, path }) => {
      if (kind !== "read" || !path.endsWith(".ext4")) return;
      throw Object.assign(new Error("EIO: injected"), { code: "EIO" });
    });
    const failed = { code: "IO_FAILED", kind: "io" };
    await expect(cache.ensure(counted)).rejects.toMatchObject(failed);
    await expect(cache.findSound(key)).rejects.toMatchObject(failed);
    await expect(cache.isSound(disk.path)).rejects.toMatchObject(failed);
    expect(await buildCount(folder.folder)).toBe(1);
    expect(await folder.cache.findSound(key)).toEqual(disk);
  });
});

test("of what is no base of this folder nothing is said", async () => {
  const disk = await folder.cache.ensure(recipe);
  const elsewhere = join(folder.folder, `${key}.ext4`);
  await copyFile(disk.path, elsewhere);
  expect(await folder.cache.isSound(elsewhere)).toBeUndefined();
  expect(await folder.cache.isSound(join(folder.bases, "disk.ext4"))).toBeUndefined();
  await rm(recordPath());
  expect(await folder.open().isSound(disk.path)).toBeUndefined();
});

test("verifying finds a disk that is cut short, and one that is gone, while there is a record", async () => {
  const disk = await folder.cache.ensure(recipe);
  await chmod(disk.path, 0o600);
  await truncate(disk.path, 4096);
  expect(await folder.cache.verify(key)).toBe(false);
  await rm(disk.path);
  expect(await folder.cache.verify(key)).toBe(false);
  expect(await folder.cache.list()).toEqual([]);
  expect(await folder.cache.listRecorded()).toEqual([disk]);
  await rm(recordPath());
  expect(await folder.cache.verify(key)).toBeUndefined();
});
