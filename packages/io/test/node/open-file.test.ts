import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type FileSystem, nodeFileSystem, openFile } from "@box/io/node";
import { describe, expect, test } from "vitest";
import { temporaryFolder } from "./temporary-folder.ts";

const failure = (code: string, errno?: string) =>
  expect.objectContaining({
    code,
    details: expect.objectContaining(errno === undefined ? {} : { errno }),
  });

describe("openFile", () => {
  test("reads and writes at offsets, and tells one file from another", async () => {
    const folder = temporaryFolder();
    const path = join(folder, "a");
    await using file = await openFile(path, { mode: "create" });
    await file.write?.(2, Uint8Array.of(1, 2, 3));
    await file.flush?.();
    expect(await file.size()).toBe(5);
    expect(await file.read(1, 9)).toEqual(Uint8Array.of(0, 1, 2, 3));
    await file.truncate?.(3);
    expect(readFileSync(path)).toEqual(Buffer.of(0, 0, 1));
    await using again = await openFile(Buffer.from(path));
    expect(again.identity?.()).toBe(file.identity?.());
    await using other = await openFile(join(folder, "b"), { mode: "create" });
    expect(other.identity?.()).not.toBe(file.identity?.());
  });

  test("gives no way to write to a file opened for reading", async () => {
    const path = join(temporaryFolder(), "a");
    writeFileSync(path, "x");
    await using file = await openFile(path);
    expect([file.write, file.truncate, file.flush]).toEqual([undefined, undefined, undefined]);
  });

  test("with blocking reads gives the same bytes, however short the system's reads are", async () => {
    const path = join(temporaryFolder(), "a");
    const content = Uint8Array.from({ length: 100_000 }, (_, index) => index % 251);
    writeFileSync(path, content);
    const calls: number[] = [];
    const fs: FileSystem = {
      ...nodeFileSystem,
      open: async (...args) => {
        const handle = await nodeFileSystem.open(...args);
        return {
          ...handle,
          readSync: (into, position) => {
            calls.push(position);
            return handle.readSync?.(into.subarray(0, 1000), position) ?? 0;
          },
        };
      },
    };
    await using file = await openFile(path, { blocking: true, fs });
    expect(await file.read(100, 2500)).toEqual(content.slice(100, 2600));
    expect(calls).toEqual([100, 1100, 2100]);
    expect(await file.read(99_990, 4096)).toEqual(content.slice(99_990));
    expect(await file.size()).toBe(100_000);
    calls.length = 0;
    expect(await file.read(0, 70_000)).toEqual(content.slice(0, 70_000));
    expect(calls).toEqual([]);
    await file.close();
    await expect(file.read(0, 10)).rejects.toEqual(failure("IO_FAILED"));
    await expect(file.size()).rejects.toEqual(failure("IO_FAILED", "EBADF"));
  });

  test("with blocking writes writes all bytes, however few the system takes at a time", async () => {
    const path = join(temporaryFolder(), "a");
    const calls: number[] = [];
    let taken = 1000;
    const fs: FileSystem = {
      ...nodeFileSystem,
      open: async (...args) => {
        const handle = await nodeFileSystem.open(...args);
        return {
          ...handle,
          writeSync: (bytes, position) => {
            calls.push(position);
            return handle.writeSync?.(bytes.subarray(0, taken), position) ?? 0;
          },
        };
      },
    };
    const content = Uint8Array.from({ length: 70_000 }, (_, index) => index % 251);
    await using file = await openFile(path, { mode: "create", blocking: true, fs });
    await file.write?.(100, content.subarray(0, 2500));
    expect(calls).toEqual([100, 1100, 2100]);
    expect(readFileSync(path).subarray(100)).toEqual(Buffer.from(content.subarray(0, 2500)));
    await file.write?.(0, content);
    expect(calls.length).toBe(3);
    expect(readFileSync(path)).toEqual(Buffer.from(content));
    taken = 0;
    await expect(file.write?.(0, content.subarray(0, 10))).rejects.toEqual(failure("IO_FAILED"));
    await file.close();
    await expect(file.write?.(0, content.subarray(0, 10))).rejects.toEqual(failure("IO_FAILED"));
    expect(readFileSync(path)).toEqual(Buffer.from(content));
  });

  test("closes once, and fails as IO_FAILED afterwards", async () => {
    const path = join(temporaryFolder(), "a");
    const file = await openFile(path, { mode: "create" });
    await file.close();
    await file.close();
    await expect(file.size()).rejects.toEqual(failure("IO_FAILED", "EBADF"));
  });

  test("names what is missing, there already, a folder, or behind a link", async () => {
    const folder = temporaryFolder();
    const path = join(folder, "a");
    await expect(openFile(path)).rejects.toEqual(failure("IO_NOT_FOUND", "ENOENT"));
    writeFileSync(path, "x");
    await expect(openFile(path, { mode: "create" })).rejects.toEqual(failure("IO_EXISTS"));
    mkdirSync(join(folder, "d"));
    await expect(openFile(join(folder, "d"))).rejects.toEqual(failure("IO_FAILED", "EISDIR"));
    await expect(openFile("/dev/null")).rejects.toEqual(failure("IO_FAILED", "EINVAL"));
    symlinkSync(path, join(folder, "link"));
    const link = join(folder, "link");
    await expect(openFile(link, { followLink: false })).rejects.toMatchObject({
      code: "IO_FAILED",
      message: `cannot open ${link}: it is a symbolic link (ELOOP)`,
      details: { errno: "ELOOP", path: link },
    });
    symlinkSync("loop", join(folder, "loop"));
    await expect(openFile(join(folder, "loop", "a"), { followLink: false })).rejects.toThrow(
      "too many symbolic links",
    );
  });

  test("completes short reads and short writes", async () => {
    const path = join(temporaryFolder(), "a");
    await using file = await openFile(path, { mode: "create", fs: oneByteAtATime });
    await file.write?.(0, Uint8Array.of(1, 2, 3));
    expect(await file.read(0, 3)).toEqual(Uint8Array.of(1, 2, 3));
  });

  test("fails instead of looping when the system writes nothing", async () => {
    const fs = wrapHandles({ write: async () => 0 });
    await using file = await openFile(join(temporaryFolder(), "a"), { mode: "create", fs });
    await expect(file.write?.(0, Uint8Array.of(1))).rejects.toEqual(failure("IO_FAILED"));
  });

  test("keeps errors apart: quota and size limits are no space, a read-only file system is that", async () => {
    for (const [error, code] of [
      [
        Object.assign(new Error("x"), { errno: -122, code: "Unknown system error -122" }),
        "IO_NO_SPACE",
      ],
      [Object.assign(new Error("EFBIG: too large, write"), { code: "EFBIG" }), "IO_NO_SPACE"],
      [Object.assign(new Error("EROFS: ro, write"), { code: "EROFS" }), "IO_READ_ONLY"],
      [Object.assign(new Error("EIO: i/o error, write"), { code: "EIO" }), "IO_FAILED"],
    ] as const) {
      const fs = wrapHandles({ write: () => Promise.reject(error) });
      await using file = await openFile(join(temporaryFolder(), "a"), { mode: "create", fs });
      await expect(file.write?.(0, Uint8Array.of(1))).rejects.toEqual(failure(code));
    }
  });

  test("calls a failed sync IO_SYNC_FAILED", async () => {
    const fs = wrapHandles({ sync: () => Promise.reject(new Error("EIO")) });
    await using file = await openFile(join(temporaryFolder(), "a"), { mode: "create", fs });
    await expect(file.flush?.()).rejects.toEqual(failure("IO_SYNC_FAILED"));
  });
});

type Handle = Awaited<ReturnType<FileSystem["open"]>>;

function wrapHandles(change: Partial<Handle>): FileSystem {
  return {
    ...nodeFileSystem,
    open: async (...args) => ({ ...(await nodeFileSystem.open(...args)), ...change }),
  };
}

const oneByteAtATime: FileSystem = {
  ...nodeFileSystem,
  open: async (...args) => {
    const handle = await nodeFileSystem.open(...args);
    return {
      ...handle,
      read: (into, position) => handle.read(into.subarray(0, 1), position),
      write: (bytes, position) => handle.write(bytes.subarray(0, 1), position),
    };
  },
};
