import { constants } from "node:fs";
import { readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { isBoxError } from "@box/errors";
import { MemoryFile } from "@box/io";
import { nodeFileSystem } from "@box/io/node";
import { inspectImage } from "@box/qcow2";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import {
  baseBytes,
  lookAt,
  makeTestDisk,
  minimalHeader,
  names,
  quarantined,
  type TestDisk,
} from "./disk.ts";

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

async function backingOf(path: string) {
  const { backing } = await inspectImage(new MemoryFile(await readFile(path)));
  return backing;
}

describe("a sound overlay", () => {
  test("is kept: length, mtimeNs and bytes unchanged, its backing the canonical base path", async () => {
    await disk.make();
    const before = await lookAt(disk.path);
    const prepared = await disk.prepare();
    expect(await lookAt(disk.path)).toEqual(before);
    expect(prepared.outcome).toBe("kept");
    expect(prepared.virtualSizeBytes).toBe(baseBytes);
    expect(prepared.record).toEqual(disk.record);
    expect((await backingOf(disk.path))?.name).toBe(disk.basePath);
    expect(names(disk)).toEqual(["overlay.kept"]);
  });

  test("is never opened for writing", async () => {
    await disk.make();
    const opened: number[] = [];
    const open: typeof nodeFileSystem.open = (path, flags, mode) => {
      opened.push(flags);
      return nodeFileSystem.open(path, flags, mode);
    };
    await disk.prepare({ fs: { ...nodeFileSystem, open } });
    const accessMode = constants.O_RDONLY | constants.O_WRONLY | constants.O_RDWR;
    expect(opened.length).toBeGreaterThan(0);
    for (const flags of opened) {
      expect(flags & accessMode).toBe(constants.O_RDONLY);
      expect(flags & (constants.O_CREAT | constants.O_TRUNC)).toBe(0);
    }
  });

  test("is kept without asking for its base: no image and no network are needed", async () => {
    await disk.make();
    await disk.prepare({ base: () => Promise.reject(new Error("no network")) });
    expect(names(disk)).toEqual(["overlay.kept"]);
  });

  test("is kept when only the dirty bit is set", async () => {
    const bytes = await disk.make();
    bytes.writeUInt8(1, 79);
    await writeFile(disk.path, bytes);
    expect((await disk.prepare()).outcome).toBe("kept");
  });

  test("is kept on the user's disk even when a new disk is allowed", async () => {
    await disk.make();
    const before = await lookAt(disk.path);
    await disk.prepare({ role: "user", policy: { recreateDisk: true } });
    expect(await lookAt(disk.path)).toEqual(before);
  });

  test("is never removed after a later failure: nothing was made", async () => {
    await disk.make();
    expect((await disk.prepare()).made).toBeUndefined();
  });

  test("of a disk without a base is kept when it names none", async () => {
    await disk.prepare({ record: { type: "never-made" } });
    const bytes = await readFile(disk.path);
    // No backing file: its offset and size are zero.
    bytes.fill(0, 8, 20);
    await writeFile(disk.path, bytes);
    const prepared = await disk.prepare({ record: { type: "made", base: undefined } });
    expect(prepared.outcome).toBe("kept");
  });
});

describe("a corrupt guest overlay is recreated, the old one kept in quarantine", () => {
  const notUtf8 = Uint8Array.of(0xff, 0xfe, 0xfd);
  const cases: [string, (sound: Buffer) => Buffer, string][] = [
    ["an all-zero file", (sound) => Buffer.alloc(sound.byteLength), "QCOW2_BAD_MAGIC"],
    ["a file of 10 bytes", (sound) => sound.subarray(0, 10), "QCOW2_TRUNCATED"],
    ["an empty file", () => Buffer.alloc(0), "QCOW2_TRUNCATED"],
    [
      "a backing name of bytes ff fe fd in a header whose other fields are zero",
      () => minimalHeader(notUtf8),
      "QCOW2_CLUSTER_BITS_INVALID",
    ],
    [
      "a backing name of bytes ff fe fd in an otherwise valid overlay",
      (sound) => {
        sound.writeUInt32BE(3, 16);
        sound.set(notUtf8, Number(sound.readBigUInt64BE(8)));
        return sound;
      },
      "OVERLAY_CORRUPT",
    ],
    ["a file cut inside its tables", (sound) => sound.subarray(0, 70_000), "QCOW2_TRUNCATED"],
    [
      "an L1 table past the end",
      (sound) => {
        sound.writeBigUInt64BE(2n ** 40n, 40);
        return sound;
      },
      "QCOW2_OUT_OF_FILE",
    ],
  ];

  test.each(cases)("%s", async (_name, damage, code) => {
    const damaged = Buffer.from(damage(await disk.make()));
    await writeFile(disk.path, damaged);
    const prepared = await disk.prepare();
    expect(prepared.outcome).toBe("recreated");
    expect((await backingOf(disk.path))?.name).toBe(disk.basePath);
    expect(names(disk)).toEqual(["overlay.quarantined", "overlay.recreated"]);
    const [warning] = disk.events;
    expect(warning).toMatchObject({ level: "warning", code });
    expect(warning?.reason).toBeTruthy();
    const [name = ""] = await quarantined(disk);
    expect(prepared.quarantinedPath).toBe(join(disk.quarantineDirectory, name));
    expect(await readFile(join(disk.quarantineDirectory, name))).toEqual(damaged);
    expect((await disk.prepare()).outcome).toBe("kept");
  });

  test("tells where the fault is", async () => {
    const bytes = await disk.make();
    bytes.writeBigUInt64BE(2n ** 40n, 40);
    await writeFile(disk.path, bytes);
    await disk.prepare();
    expect(disk.events[0]?.offset).toBeTypeOf("number");
  });

  test("keeps every old one: quarantine names are unique", async () => {
    await disk.make();
    for (const content of ["first", "second", "third"]) {
      await writeFile(disk.path, content);
      await disk.prepare();
    }
    expect(await quarantined(disk)).toHaveLength(3);
  });

  test("stays where it is when its base cannot be had", async () => {
    await disk.make();
    await writeFile(disk.path, "damaged");
    const before = await lookAt(disk.path);
    const noBase = disk.prepare({ base: () => Promise.reject(new Error("no network")) });
    await expect(noBase).rejects.toThrow("no network");
    expect(await lookAt(disk.path)).toEqual(before);
    expect(await quarantined(disk)).toEqual([]);
  });

  test("is refused when it cannot be moved aside: both causes named, nothing removed", async () => {
    await disk.make();
    await writeFile(disk.path, "damaged");
    const before = await lookAt(disk.path);
    await writeFile(disk.quarantineDirectory, "a file in the way");
    const error = await refusalOf(disk.prepare());
    expect(error.code).toBe("OVERLAY_QUARANTINE_FAILED");
    expect(error.message).toMatch(/not a qcow2 image.*quarantine.*not a folder/);
    expect(await lookAt(disk.path)).toEqual(before);
    expect(names(disk)).toEqual(["overlay.refused"]);
  });

  test.each([
    [{ minimumSizeBytes: 3 * baseBytes }, 3 * baseBytes],
    [{ minimumSizeBytes: 512 }, baseBytes],
    [{ minimumSizeBytes: 3 * baseBytes, virtualSizeBytes: 2 * baseBytes }, 2 * baseBytes],
  ])("makes the disk as large as %j says", async (size, bytes) => {
    expect((await disk.prepare(size)).virtualSizeBytes).toBe(bytes);
  });

  test("is back under its name when the new one cannot be made", async () => {
    await disk.make();
    await writeFile(disk.path, "damaged");
    const failed = disk.prepare({ virtualSizeBytes: 512 });
    expect((await refusalOf(failed)).code).toBe("OVERLAY_TOO_SMALL");
    expect(await readFile(disk.path, "utf8")).toBe("damaged");
    expect(await quarantined(disk)).toEqual([]);
  });

  test("is refused when another file took its place while it was judged", async () => {
    await disk.make();
    await writeFile(disk.path, "damaged");
    const base = async () => {
      // Kept, so that the new file cannot get its inode.
      await rename(disk.path, join(disk.folder, "disks", "aside"));
      await writeFile(disk.path, "the good one, put back by hand");
      return { path: disk.basePath, sizeBytes: baseBytes };
    };
    const error = await refusalOf(disk.prepare({ base }));
    expect(error.code).toBe("OVERLAY_QUARANTINE_FAILED");
    expect(await readFile(disk.path, "utf8")).toBe("the good one, put back by hand");
  });
});
