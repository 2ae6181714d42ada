import { mkdir, readFile, rm, stat, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { isBoxError } from "@box/errors";
import { MemoryFile } from "@box/io";
import { createOverlay } from "@box/qcow2";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { baseBytes, lookAt, makeTestDisk, names, type TestDisk } from "./disk.ts";

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

describe("a disk that is only looked at", () => {
  test.each([
    { role: "guest", again: 'box prepare web"' },
    { role: "user", again: 'box prepare web --recreate-disk"' },
  ] as const)(
    "is refused when the $role overlay is corrupt or gone, and nothing is made",
    async ({ role, again }) => {
      await disk.make();
      await writeFile(disk.path, "damaged");
      const options = { role, record: disk.record, boxName: "web", onlyKeep: true } as const;
      const corrupt = await refusalOf(disk.prepare(options));
      expect(corrupt).toMatchObject({ code: "OVERLAY_CORRUPT", details: { disk: role } });
      expect(corrupt.hint).toContain(again);
      expect(await readFile(disk.path, "utf8")).toBe("damaged");
      await rm(disk.path);
      const missing = await refusalOf(disk.prepare(options));
      expect(missing).toMatchObject({ code: "OVERLAY_MISSING", details: { disk: role } });
      expect(missing.hint).toContain(again);
      await expect(stat(disk.path)).rejects.toMatchObject({ code: "ENOENT" });
      expect(disk.counts.base).toBe(0);
    },
  );
});
