import { readFile, rm, stat, symlink, truncate, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { isBoxError } from "@box/errors";
import { MemoryFile } from "@box/io";
import { inspectImage } from "@box/qcow2";
import { removeMadeOverlay } from "@box/rootfs";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { baseBytes, lookAt, makeTestDisk, names, quarantined, type TestDisk } from "./disk.ts";

let disk: TestDisk;
beforeEach(async () => {
  disk = await makeTestDisk();
});
afterEach(() => disk.remove());

/** The error of a refusal. */
async function refusalOf(prepared: Promise<unknown>) {
  const error = await prepared.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (!isBoxError(error)) throw new Error(`expected a refusal, got ${String(error)}`);
  return error;
}

/** What the kernel lists when a process holds a file. */
async function lockOn(path: string): Promise<string> {
  const { dev, ino } = await stat(path);
  const hex = (value: number) => value.toString(16).padStart(2, "0");
  return `1: OFDLCK ADVISORY  READ -1 ${hex(dev >> 8)}:${hex(dev & 0xff)}:${ino} 100 101`;
}

async function backingOf(path: string) {
  const { backing } = await inspectImage(new MemoryFile(await readFile(path)));
  return backing;
}

describe("an absent overlay", () => {
  test("is made on the first run", async () => {
    const prepared = await disk.prepare({ record: { type: "never-made" } });
    expect(prepared.outcome).toBe("created");
    expect(prepared.record).toEqual(disk.record);
    expect(names(disk)).toEqual(["overlay.created"]);
    expect((await stat(disk.path)).mode & 0o777).toBe(0o600);
  });

  test("of a guest is made again from the base", async () => {
    await disk.make();
    await rm(disk.path);
    const prepared = await disk.prepare();
    expect(prepared.outcome).toBe("created");
    expect(disk.events[0]).toMatchObject({ name: "overlay.created", level: "info" });
    expect(disk.events[0]?.message).toContain("made again");
  });

  test("of the user is refused, and made again with --recreate-disk", async () => {
    await disk.make();
    await rm(disk.path);
    const error = await refusalOf(disk.prepare({ role: "user" }));
    expect(error).toMatchObject({ code: "OVERLAY_MISSING", kind: "not-found" });
    expect(error.hint).toContain("--recreate-disk");
    const prepared = await disk.prepare({ role: "user", policy: { recreateDisk: true } });
    expect(prepared.outcome).toBe("created");
  });

  test("has the size that was asked for", async () => {
    const prepared = await disk.prepare({
      record: { type: "never-made" },
      virtualSizeBytes: 3 * baseBytes,
    });
    expect(prepared.virtualSizeBytes).toBe(3 * baseBytes);
    const info = await inspectImage(new MemoryFile(await readFile(disk.path)));
    expect(info.virtualSizeBytes).toBe(BigInt(3 * baseBytes));
  });

  test("names its base by the canonical path", async () => {
    const link = join(disk.folder, "link");
    await symlink(join(disk.folder, "bases"), link);
    const base = async () => ({ path: join(link, ".", "base.ext4"), sizeBytes: baseBytes });
    const prepared = await disk.prepare({ record: { type: "never-made" }, base });
    expect(prepared.record).toEqual(disk.record);
    expect(await backingOf(disk.path)).toMatchObject({ name: disk.basePath, format: "raw" });
  });

  test.each([
    ["is not there", () => rm(disk.basePath), "OVERLAY_BACKING_MISSING"],
    ["has another size", () => truncate(disk.basePath, 512), "OVERLAY_BACKING_MISSING"],
  ])("is not made when the base %s", async (_what, spoil, code) => {
    await spoil();
    const error = await refusalOf(disk.prepare({ record: { type: "never-made" } }));
    expect(error.code).toBe(code);
    await expect(stat(disk.path)).rejects.toThrow("ENOENT");
  });

  test("never takes the place of a file that appeared meanwhile", async () => {
    const base = async () => {
      await writeFile(disk.path, "somebody's");
      return { path: disk.basePath, sizeBytes: baseBytes };
    };
    const error = await refusalOf(disk.prepare({ record: { type: "never-made" }, base }));
    expect(error.code).toBe("IO_EXISTS");
    expect(await readFile(disk.path, "utf8")).toBe("somebody's");
  });
});

describe("the user's disk", () => {
  test("that is corrupt is refused with the reason and the two commands that go on", async () => {
    await disk.make();
    await writeFile(disk.path, Buffer.alloc(4096));
    const before = await lookAt(disk.path);
    const error = await refusalOf(disk.prepare({ role: "user" }));
    expect(error).toMatchObject({ code: "OVERLAY_CORRUPT", kind: "corrupt" });
    expect(error.message).toContain("not a qcow2 image");
    expect(error.details).toMatchObject({ reasonCode: "QCOW2_BAD_MAGIC", offset: 0 });
    expect(error.hint).toContain(`box disk info ${disk.path}`);
    expect(error.hint).toContain("box prepare web --recreate-disk");
    expect(await lookAt(disk.path)).toEqual(before);
    expect(disk.events.map((event) => event.level)).toEqual(["error"]);
  });

  test("that is corrupt is replaced only with --recreate-disk, and kept in quarantine", async () => {
    await disk.make();
    await writeFile(disk.path, "damaged");
    const prepared = await disk.prepare({ role: "user", policy: { recreateDisk: true } });
    expect(prepared.outcome).toBe("recreated");
    const [name = ""] = await quarantined(disk);
    expect(await readFile(join(disk.quarantineDirectory, name), "utf8")).toBe("damaged");
  });
});

describe("what this run made", () => {
  test("is removed after a later failure", async () => {
    const { made } = await disk.prepare({ record: { type: "never-made" } });
    if (made === undefined) throw new Error("nothing was made");
    expect(await removeMadeOverlay(made)).toBe(true);
    await expect(stat(disk.path)).rejects.toThrow("ENOENT");
    expect(await removeMadeOverlay(made)).toBe(false);
  });

  test("stays when something wrote to it", async () => {
    const { made } = await disk.prepare({ record: { type: "never-made" } });
    if (made === undefined) throw new Error("nothing was made");
    await utimes(disk.path, 1, 1);
    expect(await removeMadeOverlay(made)).toBe(false);
    await stat(disk.path);
  });

  test("stays when a process holds it", async () => {
    const { made } = await disk.prepare({ record: { type: "never-made" } });
    if (made === undefined) throw new Error("nothing was made");
    const readLocks = () => lockOn(disk.path);
    expect(await removeMadeOverlay(made, { readLocks })).toBe(false);
    await stat(disk.path);
  });
});
