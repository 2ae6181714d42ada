import { constants } from "node:fs";
import { mkdir, readFile, rm, stat, symlink, truncate, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { isBoxError } from "@box/errors";
import { MemoryFile } from "@box/io";
import { nodeFileSystem } from "@box/io/node";
import { createOverlay, inspectImage } from "@box/qcow2";
import { removeMadeOverlay } from "@box/rootfs";
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
      await rm(disk.path);
      await writeFile(join(disk.folder, "disks", "filler"), "");
      await writeFile(disk.path, "the good one, put back by hand");
      return { path: disk.basePath, sizeBytes: baseBytes };
    };
    const error = await refusalOf(disk.prepare({ base }));
    expect(error.code).toBe("OVERLAY_QUARANTINE_FAILED");
    expect(await readFile(disk.path, "utf8")).toBe("the good one, put back by hand");
  });
});

describe("what cannot be read", () => {
  test("a directory in place of the overlay is an I/O error and is not deleted", async () => {
    await mkdir(disk.path);
    await writeFile(join(disk.path, "inside"), "data");
    const error = await refusalOf(disk.prepare());
    expect(error).toMatchObject({ code: "OVERLAY_IO", kind: "io" });
    expect(error.message).toContain("refusing to discard a possibly-intact overlay");
    expect(error.message).toContain("EISDIR");
    expect(await readFile(join(disk.path, "inside"), "utf8")).toBe("data");
    expect(names(disk)).toEqual(["overlay.refused"]);
    expect(disk.counts.base).toBe(0);
  });

  test.each(["guest", "user"] as const)(
    "a symbolic link in place of the %s overlay is refused and not followed",
    async (role) => {
      const target = join(disk.folder, "elsewhere");
      await writeFile(target, "damaged");
      await symlink(target, disk.path);
      const error = await refusalOf(disk.prepare({ role, policy: { recreateDisk: true } }));
      expect(error).toMatchObject({ code: "OVERLAY_IO", kind: "io" });
      expect(await readFile(target, "utf8")).toBe("damaged");
    },
  );

  test("a dangling symbolic link is not an absent overlay", async () => {
    await symlink(join(disk.folder, "nowhere"), disk.path);
    expect((await refusalOf(disk.prepare())).code).toBe("OVERLAY_IO");
  });

  test("a missing folder is not an absent overlay: a disk may not be mounted", async () => {
    await rm(join(disk.folder, "disks"), { recursive: true });
    expect((await refusalOf(disk.prepare())).code).toBe("OVERLAY_IO");
  });

  test("a file in place of the folder is not an absent overlay", async () => {
    await rm(join(disk.folder, "disks"), { recursive: true });
    await writeFile(join(disk.folder, "disks"), "");
    expect((await refusalOf(disk.prepare())).code).toBe("OVERLAY_IO");
  });
});

describe("a lost base", () => {
  test("is refused with its path; the overlay is not deleted", async () => {
    await disk.make();
    await rm(disk.basePath);
    const before = await lookAt(disk.path);
    const error = await refusalOf(disk.prepare());
    expect(error).toMatchObject({ code: "OVERLAY_BACKING_MISSING", kind: "backing-missing" });
    expect(error.message).toContain(`has missing backing file: ${disk.basePath}`);
    expect(error.hint).toContain("box rootfs restore web");
    expect(await lookAt(disk.path)).toEqual(before);
    expect(disk.counts.base).toBe(0);
  });

  test("is refused although the overlay is corrupt too, and a new disk is allowed", async () => {
    await disk.make();
    await rm(disk.basePath);
    await writeFile(disk.path, Buffer.alloc(4096));
    const before = await lookAt(disk.path);
    const error = await refusalOf(disk.prepare({ policy: { recreateDisk: true } }));
    expect(error.message).toContain(`has missing backing file: ${disk.basePath}`);
    expect(await lookAt(disk.path)).toEqual(before);
  });

  test("is refused for the user's disk alike", async () => {
    await disk.make();
    await rm(disk.basePath);
    const error = await refusalOf(disk.prepare({ role: "user" }));
    expect(error.message).toContain(`disk ${disk.path} has missing backing file: ${disk.basePath}`);
  });

  test.each([
    ["a folder", async () => mkdir(disk.basePath), "it is not a regular file"],
    ["a file of another size", async () => writeFile(disk.basePath, "short"), "5 bytes"],
  ])("counts as lost when %s is in its place", async (_what, replace, reason) => {
    await disk.make();
    await rm(disk.basePath);
    await replace();
    const error = await refusalOf(disk.prepare());
    expect(error).toMatchObject({ code: "OVERLAY_BACKING_MISSING", kind: "backing-missing" });
    expect(error.message).toContain(`has missing backing file: ${disk.basePath} (`);
    expect(error.message).toContain(reason);
  });

  test("that cannot be looked at is an I/O error", async () => {
    await disk.make();
    await rm(join(disk.folder, "bases"), { recursive: true });
    await writeFile(join(disk.folder, "bases"), "");
    const error = await refusalOf(disk.prepare());
    expect(error).toMatchObject({ code: "OVERLAY_BACKING_IO", kind: "io" });
    expect(error.message).toContain("refusing to discard a possibly-intact overlay");
  });
});

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
    expect(error.hint).toContain(`box disk check ${disk.path}`);
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

describe("a sound overlay that is not as recorded is refused", () => {
  const bytesOf = async (backingName: string, backingFormat: "raw" | "qcow2") => {
    const file = new MemoryFile();
    await createOverlay(file, { virtualSizeBytes: baseBytes, backingName, backingFormat });
    return file.toBytes();
  };

  test.each([
    ["names another backing file", () => bytesOf("/etc/shadow", "raw"), "/etc/shadow"],
    ["names another backing format", () => bytesOf(disk.basePath, "qcow2"), "format qcow2"],
    [
      "names no backing file",
      async () => Buffer.from(await disk.make()).fill(0, 8, 20),
      "no backing file",
    ],
  ])("when it %s", async (_what, bytes, reason) => {
    await writeFile(disk.path, await bytes());
    const before = await lookAt(disk.path);
    const error = await refusalOf(disk.prepare({ policy: { recreateDisk: true } }));
    expect(error.code).toBe("OVERLAY_BACKING_MISMATCH");
    expect(error.message).toContain(reason);
    expect(await lookAt(disk.path)).toEqual(before);
  });

  test("unless it has no record: then the backing file that it names decides", async () => {
    const record = { type: "adopted" } as const;
    await writeFile(disk.path, await bytesOf("../bases/base.ext4", "raw"));
    const kept = await disk.prepare({ record });
    expect(kept.record).toMatchObject({ type: "made", base: { sizeBytes: baseBytes } });
    expect((await disk.prepare({ record: kept.record })).outcome).toBe("kept");
    await writeFile(disk.path, await bytesOf("/nowhere/base.ext4", "raw"));
    expect((await refusalOf(disk.prepare({ record }))).code).toBe("OVERLAY_BACKING_MISSING");
  });

  test("without a record a name that QEMU would take for a protocol is refused", async () => {
    await writeFile(disk.path, await bytesOf("nbd:localhost:10809", "raw"));
    const error = await refusalOf(disk.prepare({ record: { type: "adopted" } }));
    expect(error).toMatchObject({ code: "OVERLAY_UNSUPPORTED", kind: "unsupported" });
  });

  test("without a record one that stands alone is kept", async () => {
    await writeFile(disk.path, Buffer.from(await disk.make()).fill(0, 8, 20));
    const kept = await disk.prepare({ record: { type: "adopted" } });
    expect(kept.record).toEqual({ type: "made", base: undefined });
  });
});

describe("an overlay that cannot be judged is refused", () => {
  test("with an unknown feature", async () => {
    const bytes = await disk.make();
    bytes.writeUInt8(0x80, 72);
    await writeFile(disk.path, bytes);
    const error = await refusalOf(disk.prepare({ policy: { recreateDisk: true } }));
    expect(error).toMatchObject({ code: "OVERLAY_UNSUPPORTED", kind: "unsupported" });
    expect(error.message).toContain("refusing to discard");
  });

  test("within its time", async () => {
    await disk.make();
    let time = 0;
    const limits = {
      timeoutMs: 1,
      now: () => {
        time += 1;
        return time;
      },
    };
    expect(await refusalOf(disk.prepare({ limits }))).toMatchObject({
      code: "OVERLAY_LIMIT",
      kind: "limit",
    });
  });

  test("within its memory", async () => {
    await disk.make();
    const error = await refusalOf(disk.prepare({ limits: { maxMetadataBytes: 16 } }));
    expect(error.code).toBe("OVERLAY_LIMIT");
  });

  test("for a reason that nobody knows", async () => {
    const bytes = await disk.make();
    await writeFile(disk.path, bytes);
    const readLocks = () => Promise.reject(new TypeError("a fault of box"));
    const error = await refusalOf(disk.prepare({ readLocks }));
    expect(error).toMatchObject({ code: "OVERLAY_UNKNOWN", kind: "internal" });
    expect(error.message).toContain("a fault of box");
  });

  test("when a process took hold of it while it was judged: what looked corrupt may not be", async () => {
    await disk.make();
    await writeFile(disk.path, "being written");
    const lock = await lockOn(disk.path);
    let asked = 0;
    const readLocks = async () => {
      asked += 1;
      return asked === 1 ? "" : lock;
    };
    expect(await refusalOf(disk.prepare({ readLocks }))).toMatchObject({
      code: "OVERLAY_IN_USE",
      kind: "in-use",
    });
    expect(await readFile(disk.path, "utf8")).toBe("being written");
  });

  test("and an abort stops it without a verdict", async () => {
    await disk.make();
    const signal = AbortSignal.abort();
    await expect(disk.prepare({ signal })).rejects.toThrow(/abort/i);
    expect(disk.events).toEqual([]);
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
