import { type ChildProcess, type ChildProcessByStdio, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import {
  chmod,
  open,
  readdir,
  readFile,
  rm,
  stat,
  symlink,
  truncate,
  writeFile,
} from "node:fs/promises";
import { join } from "node:path";
import type { Readable, Writable } from "node:stream";
import { fileURLToPath } from "node:url";
import { type BaseDisk, type BaseEvent, type LayerSource, resolveRecipe } from "@box/rootfs";
import { afterEach, beforeEach, describe, expect, onTestFinished, test } from "vitest";
import { followProgress, shareProgress } from "../../src/base/shared-progress.ts";
import { file, layer } from "../merge/layers.ts";
import {
  buildCount,
  countedRecipe,
  makeTestCache,
  recipe,
  type TestCache,
} from "./cache-folder.ts";

let folder: TestCache;
let children: ChildProcess[];
beforeEach(async () => {
  folder = await makeTestCache();
  children = [];
});
afterEach(async () => {
  for (const child of children) child.kill("SIGKILL");
  await folder.remove();
});

const { key, recorded } = resolveRecipe(recipe);

/** Names of the events of one call, progress left out. */
async function eventsOf(
  work: (onEvent: (event: BaseEvent) => void) => Promise<unknown>,
): Promise<string[]> {
  const names: string[] = [];
  await work((event) => names.push(event.name));
  return names.filter((name) => name !== "base.progress");
}

/** A process that is ready to ensure the base. */
async function child(mode: string): Promise<ChildProcessByStdio<Writable, Readable, null>> {
  const script = fileURLToPath(new URL("ensure-in-child.ts", import.meta.url));
  const args = ["--conditions=@box/source", "--no-warnings", script, folder.folder, mode];
  const started = spawn(process.execPath, args, { stdio: ["pipe", "pipe", "inherit"] });
  children.push(started);
  await once(started.stdout, "data");
  return started;
}

/** A process in the middle of building the base. */
async function hangingChild(): Promise<ChildProcess> {
  const started = await child("hang");
  started.stdin.write("go");
  await once(started.stdout, "data");
  return started;
}

async function flipBit(disk: BaseDisk, at: number): Promise<void> {
  await chmod(disk.path, 0o600);
  const handle = await open(disk.path, "r+");
  const byte = Buffer.alloc(1);
  await handle.read(byte, 0, 1, at);
  byte[0] = (byte[0] ?? 0) ^ 1;
  await handle.write(byte, 0, 1, at);
  await handle.close();
}

describe("ensure", () => {
  test("builds a base: read-only, with a record of what it is", async () => {
    const disk = await folder.cache.ensure(recipe, { source: "oci:somewhere" });
    expect(disk).toMatchObject({ key, path: join(folder.bases, `${key}.ext4`) });
    const bytes = await readFile(disk.path);
    expect(bytes.byteLength).toBe(disk.sizeBytes);
    expect(disk.digest).toBe(`sha256:${createHash("sha256").update(bytes).digest("hex")}`);
    expect((await stat(disk.path)).mode & 0o777).toBe(0o444);
    expect(await folder.names()).toEqual([`${key}.ext4`, `${key}.json`]);
    expect(JSON.parse(await readFile(join(folder.bases, `${key}.json`), "utf8"))).toEqual({
      formatVersion: 1,
      key,
      sizeBytes: disk.sizeBytes,
      digest: disk.digest,
      source: "oci:somewhere",
      recipe: recorded,
      stamp: { mtimeNs: expect.any(String), inode: expect.any(String) },
    });
  });

  test("builds it once: the second time it is in the cache", async () => {
    const counted = countedRecipe(folder.folder);
    const first = await eventsOf((onEvent) => folder.cache.ensure(counted, { onEvent }));
    expect(first).toEqual(["base.building", "base.built"]);
    const second = await eventsOf((onEvent) => folder.open().ensure(counted, { onEvent }));
    expect(second).toEqual(["base.cached"]);
    expect(await buildCount(folder.folder)).toBe(1);
  });

  test("gives the same bytes in another folder", async () => {
    const other = await makeTestCache();
    try {
      const [a, b] = [await folder.cache.ensure(recipe), await other.cache.ensure(recipe)];
      expect(b.digest).toBe(a.digest);
    } finally {
      await other.remove();
    }
  });

  test("shares one build among callers of one process", async () => {
    const counted = countedRecipe(folder.folder);
    const calls = [1, 2, 3].map(() =>
      eventsOf((onEvent) => folder.open().ensure(counted, { onEvent })),
    );
    const names = (await Promise.all(calls)).map((each) => each.join(" ")).sort();
    expect(await buildCount(folder.folder)).toBe(1);
    expect(names).toEqual([
      "base.building base.built",
      ...Array(2).fill("base.waiting base.cached"),
    ]);
  });

  test("shares one build among processes", async () => {
    const started = await Promise.all([1, 2, 3, 4].map(() => child("build")));
    const exits = started.map((each) => once(each, "exit"));
    for (const each of started) each.stdin.write("go");
    const codes = (await Promise.all(exits)).map(([code]) => code);
    expect(codes).toEqual([0, 0, 0, 0]);
    expect(await buildCount(folder.folder)).toBe(1);
  }, 60_000);

  test("takes over from a process that died, and leaves nothing of it", async () => {
    const dying = await hangingChild();
    let waitedFor: number | undefined;
    const onEvent = (event: BaseEvent) => {
      if (event.name !== "base.waiting") return;
      waitedFor = event.holderPid;
      dying.kill("SIGKILL");
    };
    await folder.cache.ensure(recipe, { onEvent });
    expect(waitedFor).toBe(dying.pid);
    expect(await folder.names()).toEqual([`${key}.ext4`, `${key}.json`]);
  }, 60_000);

  test("gives up on a process that was stopped, and says which it is", async () => {
    const stopped = await hangingChild();
    stopped.kill("SIGSTOP");
    const waiting = folder.cache.ensure(recipe, { lockTimeoutMs: 400 });
    await expect(waiting).rejects.toMatchObject({
      code: "IO_LOCK_HELD",
      kind: "in-use",
      details: { holder: { pid: stopped.pid, command: `building base ${key}` } },
    });
    stopped.kill("SIGKILL");
    await folder.cache.ensure(recipe, { lockTimeoutMs: 400 });
  }, 60_000);

  test("waits for one that lives for longer than that", async () => {
    const slow = await hangingChild();
    const timer = setTimeout(() => slow.kill("SIGKILL"), 8000);
    onTestFinished(() => clearTimeout(timer));
    await folder.cache.ensure(recipe, { lockTimeoutMs: 3000 });
    expect(slow.killed).toBe(true);
  }, 60_000);

  test.each<[string, (disk: BaseDisk) => Promise<unknown>]>([
    ["its file is gone", (disk) => rm(disk.path)],
    ["its file was cut", (disk) => truncate(disk.path, 4096)],
    ["its file is empty", (disk) => truncate(disk.path, 0)],
    ["its record is gone", () => rm(join(folder.bases, `${key}.json`))],
    ["its record is no JSON", () => writeFile(join(folder.bases, `${key}.json`), "{")],
    ["its record is of another form", () => writeFile(join(folder.bases, `${key}.json`), "[]")],
    ["its record is null", () => writeFile(join(folder.bases, `${key}.json`), "null")],
    ["its record is far too long", () => truncate(join(folder.bases, `${key}.json`), 5_000_000)],
  ])("builds it again to the same content when %s", async (_what, spoil) => {
    const before = await folder.cache.ensure(recipe);
    await spoil(before);
    expect(await folder.cache.find(key)).toBeUndefined();
    expect(await folder.cache.ensure(recipe)).toEqual(before);
    expect(await folder.cache.verify(key)).toBe(true);
  });

  test("refuses other content than expected, and leaves nothing", async () => {
    const expectedDigest = `sha256:${"0".repeat(64)}`;
    const refused = { code: "ROOTFS_BASE_DIGEST_MISMATCH", kind: "corrupt" };
    await expect(folder.cache.ensure(recipe, { expectedDigest })).rejects.toMatchObject(refused);
    expect(await folder.names()).toEqual([]);
    await folder.cache.ensure(recipe);
    await expect(folder.cache.ensure(recipe, { expectedDigest })).rejects.toMatchObject(refused);
  });

  test("restores a lost base only to the content that was recorded", async () => {
    const disk = await folder.cache.ensure(recipe);
    const path = join(folder.bases, `${key}.json`);
    const text = await readFile(path, "utf8");
    await writeFile(path, text.replace(disk.digest, `sha256:${"1".repeat(64)}`));
    await rm(disk.path);
    await expect(folder.cache.ensure(recipe)).rejects.toMatchObject({
      code: "ROOTFS_BASE_DIGEST_MISMATCH",
    });
    expect(await folder.names()).toEqual([`${key}.json`]);
  });

  test("does not take a folder or a link for a base", async () => {
    const disk = await folder.cache.ensure(recipe);
    await rm(disk.path);
    await writeFile(join(folder.folder, "elsewhere"), Buffer.alloc(disk.sizeBytes));
    await symlink(join(folder.folder, "elsewhere"), disk.path);
    expect(await folder.cache.find(key)).toBeUndefined();
  });

  test("passes on what an image throws, and leaves nothing half-made", async () => {
    const broken = { layers: [layer(file("a".repeat(300)))], options: { hasJournal: false } };
    await expect(folder.cache.ensure(broken)).rejects.toMatchObject({ code: "EXT4_NAME_TOO_LONG" });
    expect(await folder.names()).toEqual([]);
  });

  test("stops when it is told to, while it builds and while it waits, and leaves nothing half-made", async () => {
    const controller = new AbortController();
    const building = folder.cache.ensure(recipe, {
      signal: controller.signal,
      onEvent: ({ name }) => name === "base.progress" && controller.abort(),
    });
    await expect(building).rejects.toThrow(/abort/i);
    expect(await folder.names()).toEqual([]);
    await hangingChild();
    const stop = new AbortController();
    const waiting = folder.cache.ensure(recipe, {
      signal: stop.signal,
      onEvent: () => stop.abort(),
    });
    await expect(waiting).rejects.toThrow(/abort/i);
  }, 60_000);

  test("tells what was put right in the image", async () => {
    const events: BaseEvent[] = [];
    const climbing = { layers: [layer(file("../a"))], options: { hasJournal: false } };
    await folder.cache.ensure(climbing, { onEvent: (event) => events.push(event) });
    expect(events.filter((event) => event.level === "warning")).toEqual([
      expect.objectContaining({ name: "base.warning", code: "ROOTFS_PATH_CLAMPED" }),
    ]);
  });
});

describe("restore", () => {
  test("builds a damaged base again, to the same content", async () => {
    const disk = await folder.cache.ensure(recipe);
    await flipBit(disk, 5000);
    expect(await folder.cache.restore(recipe)).toEqual(disk);
    expect(await folder.cache.verify(key)).toBe(true);
    expect((await stat(disk.path)).mode & 0o777).toBe(0o444);
  });

  test("keeps the damaged disk in quarantine, and says so", async () => {
    const disk = await folder.cache.ensure(recipe);
    await flipBit(disk, 5000);
    const damaged = await readFile(disk.path);
    const events: BaseEvent[] = [];
    await folder.cache.restore(recipe, { onEvent: (event) => events.push(event) });
    const told = events.find(({ name }) => name === "base.quarantined");
    expect(told).toMatchObject({ level: "warning", key });
    expect(told?.path).toMatch(/quarantine\/[0-9a-f]{64}-[0-9a-f]{16}\.ext4$/);
    expect(damaged.equals(await readFile(told?.path ?? ""))).toBe(true);
    expect(await folder.names()).toEqual([`${key}.ext4`, `${key}.json`, "quarantine"]);
  });

  test("leaves a sound base alone, and builds one that is lost", async () => {
    const disk = await folder.cache.ensure(recipe);
    const { mtimeMs } = await stat(disk.path);
    expect(await eventsOf((onEvent) => folder.cache.restore(recipe, { onEvent }))).toEqual([
      "base.verifying",
      "base.cached",
    ]);
    expect((await stat(disk.path)).mtimeMs).toBe(mtimeMs);
    await rm(disk.path);
    expect(await folder.cache.restore(recipe, { expectedDigest: disk.digest })).toEqual(disk);
  });

  test("never puts other content in the place of what was recorded", async () => {
    const disk = await folder.cache.ensure(recipe);
    const expectedDigest = `sha256:${"2".repeat(64)}`;
    await flipBit(disk, 5000);
    await expect(folder.cache.restore(recipe, { expectedDigest })).rejects.toMatchObject({
      code: "ROOTFS_BASE_DIGEST_MISMATCH",
    });
  });
});

describe("a waiter", () => {
  test("is told how far the builder has come, and no more once that one is done", async () => {
    const reached = Promise.withResolvers<void>();
    const goOn = Promise.withResolvers<void>();
    const [source] = recipe.layers as [LayerSource];
    let openings = 0;
    const slow: LayerSource = {
      diffId: source.diffId,
      async *open(options) {
        openings += 1;
        // The second reading comes when the layers are merged.
        if (openings === 2) {
          reached.resolve();
          await goOn.promise;
        }
        yield* source.open(options);
      },
    };
    const building = folder.cache.ensure({ ...recipe, layers: [slow] });
    await reached.promise;
    const events: BaseEvent[] = [];
    const onEvent = (event: BaseEvent) => {
      events.push(event);
      if (event.name === "base.progress") goOn.resolve();
    };
    const waited = await folder.open().ensure(recipe, { onEvent });
    expect(waited).toEqual(await building);
    expect(events.map(({ name }) => name).slice(0, 2)).toEqual(["base.waiting", "base.progress"]);
    expect(events[1]).toMatchObject({ progress: { stage: "merge", done: 1, total: 1 } });
    expect(events.at(-1)?.name).toBe("base.cached");
    expect(
      (await readdir(join(folder.folder, "locks"))).filter((n) => n.includes("progress")),
    ).toEqual([]);
  });

  test("makes nothing of a progress that is none", async () => {
    const path = join(folder.folder, "progress");
    const told: unknown[] = [];
    for (const text of [
      "",
      "{",
      "null",
      '{"beat":1}',
      '{"stage":"merge","done":"1","total":1}',
      '{"done":1}',
    ]) {
      await writeFile(path, text);
      followProgress(path, (progress) => told.push(progress))[Symbol.dispose]();
    }
    expect(told).toEqual([]);
    await writeFile(path, '{"stage":"write","done":1,"total":2}');
    followProgress(path, (progress) => told.push(progress))[Symbol.dispose]();
    expect(told).toEqual([{ stage: "write", done: 1, total: 2 }]);
  });

  test("needs no file to share its progress in", () => {
    using shared = shareProgress(join(folder.folder, "no", "such", "folder"));
    shared.set({ stage: "merge", done: 1, total: 2 });
  });
});

describe("list and remove", () => {
  test("know the bases that are whole, and take one away with its record", async () => {
    expect(await folder.cache.list()).toEqual([]);
    const disk = await folder.cache.ensure(recipe);
    const other = await folder.cache.ensure({ ...recipe, options: { freeBytes: 4096 } });
    await writeFile(join(folder.bases, "notes.json"), "{}");
    expect((await folder.cache.list()).map((each) => each.key).sort()).toEqual(
      [disk.key, other.key].sort(),
    );
    expect(await folder.cache.remove(key)).toBe(true);
    expect(await folder.cache.list()).toEqual([other]);
    expect(await folder.cache.find(key)).toBeUndefined();
    expect(await folder.cache.remove(key)).toBe(false);
  });

  test("leave a base that is needed, or that is being built", async () => {
    const disk = await folder.cache.ensure(recipe);
    expect(await folder.cache.remove(key, () => {})).toBe(false);
    expect(await folder.cache.list()).toEqual([disk]);
    await rm(disk.path);
    await hangingChild();
    expect(await folder.cache.remove(key)).toBe(false);
    expect(await folder.names()).toContain(`${key}.json`);
  }, 60_000);
});

describe("verify", () => {
  test("finds a flipped bit, wherever it is", async () => {
    const disk = await folder.cache.ensure(recipe);
    expect(await folder.cache.verify(key)).toBe(true);
    for (const at of [0, 1024, disk.sizeBytes - 1]) {
      await flipBit(disk, at);
      expect(await folder.cache.verify(key)).toBe(false);
      await flipBit(disk, at);
    }
    expect(await folder.cache.verify(key)).toBe(true);
  });

  test("says nothing about a base that is not there", async () => {
    expect(await folder.cache.verify(key)).toBeUndefined();
  });
});
