import { constants, readdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { open } from "node:fs/promises";
import { join } from "node:path";
import {
  createFileDurably,
  type FileSystem,
  type FileSystemHandle,
  nodeFileSystem,
  openFile,
  pageAlignedBytes,
} from "@box/io/node";
import { describe, expect, test } from "vitest";
import { temporaryFolder } from "./temporary-folder.ts";

const block = 4096;
const least = 16 * block;

/** What the tests' own folder can do is not for them to choose: many kinds of file systems can, not all. */
async function hasDirectTransfers(folder: string): Promise<boolean> {
  if (constants.O_DIRECT === undefined) return false;
  try {
    const flags = constants.O_RDWR | constants.O_CREAT | constants.O_DIRECT;
    await using probe = await open(join(folder, "probe"), flags);
    return (await probe.write(pageAlignedBytes(least), 0, least, 0)).bytesWritten === least;
  } catch {
    return false;
  }
}

type Kind = "direct" | "usual";

/** A file system that notes which handle takes which transfer, and lets tests change the handles. */
function notingFileSystem(
  change: (kind: Kind, handle: FileSystemHandle) => Partial<FileSystemHandle> = () => ({}),
): { readonly fs: FileSystem; readonly calls: string[] } {
  const calls: string[] = [];
  const fs: FileSystem = {
    ...nodeFileSystem,
    open: async (path, flags, mode) => {
      const isDirect = constants.O_DIRECT !== undefined && (flags & constants.O_DIRECT) !== 0;
      const kind = isDirect ? "direct" : "usual";
      const handle = await nodeFileSystem.open(path, flags & ~(constants.O_DIRECT ?? 0), mode);
      const changed = { ...handle, ...change(kind, handle) };
      return {
        ...changed,
        read: (into, position) => {
          calls.push(`${kind} read ${position}`);
          return changed.read(into, position);
        },
        write: (bytes, position) => {
          calls.push(`${kind} write ${position}`);
          return changed.write(bytes, position);
        },
        close: () => {
          calls.push(`${kind} close`);
          return changed.close();
        },
      };
    },
  };
  return { fs, calls };
}

function pattern(length: number, seed = 1): Uint8Array<ArrayBuffer> {
  const bytes = pageAlignedBytes(length);
  for (let at = 0; at < length; at++) bytes[at] = (at * 7 + (at >> 8) + seed) & 0xff;
  return bytes;
}

const failure = (errno: string): Error =>
  Object.assign(new Error(`${errno}: injected, x`), { code: errno });

const isLinux = constants.O_DIRECT !== undefined;
const direct = isLinux ? "direct" : "usual";

describe("direct transfers", () => {
  test("go past the page cache wherever the file system lets them", async () => {
    const folder = temporaryFolder();
    const isAble = await hasDirectTransfers(folder);
    const used: boolean[] = [];
    const fs: FileSystem = {
      ...nodeFileSystem,
      open: async (path, flags, mode) => {
        const handle = await nodeFileSystem.open(path, flags, mode);
        if (!isLinux || (flags & constants.O_DIRECT) === 0) return handle;
        const tell = async (transferred: Promise<number>): Promise<number> => {
          const length = await transferred;
          used.push(length === least);
          return length;
        };
        return {
          ...handle,
          read: (into, position) => tell(handle.read(into, position)),
          write: (bytes, position) => tell(handle.write(bytes, position)),
        };
      },
    };
    await using file = await openFile(join(folder, "a"), { mode: "create", direct: true, fs });
    await file.write?.(block, pattern(least));
    const into = pageAlignedBytes(least);
    expect(await file.read(block, least, into)).toEqual(pattern(least));
    expect(used).toEqual(isAble ? [true, true] : []);
    expect(readFileSync(join(folder, "a")).subarray(block)).toEqual(Buffer.from(pattern(least)));
  });

  test("are for large ones of page-aligned memory in whole blocks, and others see what they did", async () => {
    const path = join(temporaryFolder(), "a");
    const { fs, calls } = notingFileSystem();
    await using file = await openFile(path, { mode: "create", direct: true, fs });
    const content = pattern(32 * block);
    await file.write?.(0, content);
    await file.write?.(block, new Uint8Array(content.subarray(0, least)));
    await file.write?.(100, content.subarray(0, least));
    await file.write?.(0, content.subarray(100, 100 + least));
    await file.write?.(0, content.subarray(0, least + 100));
    await file.write?.(2 * block, content.subarray(0, least - block));
    await file.write?.(3 * block, content.subarray(block, block + least));
    await file.read(0, least);
    await file.read(4 * block, least, pageAlignedBytes(least));
    expect(calls).toEqual([
      `${direct} write 0`,
      `usual write ${block}`,
      "usual write 100",
      "usual write 0",
      "usual write 0",
      `usual write ${2 * block}`,
      `${direct} write ${3 * block}`,
      "usual read 0",
      `${direct} read ${4 * block}`,
    ]);
    const expected = Buffer.from(content);
    for (const [offset, bytes] of [
      [block, content.subarray(0, least)],
      [100, content.subarray(0, least)],
      [0, content.subarray(100, 100 + least)],
      [0, content.subarray(0, least + 100)],
      [2 * block, content.subarray(0, least - block)],
      [3 * block, content.subarray(block, block + least)],
    ] as const)
      expected.set(bytes, offset);
    expect(readFileSync(path).equals(expected)).toBe(true);
    expect(Buffer.from(await file.read(0, 32 * block)).equals(expected)).toBe(true);
  });

  test("are not asked for by default, nor when the caller says so", async () => {
    const path = join(temporaryFolder(), "a");
    const { fs, calls } = notingFileSystem();
    await using plain = await openFile(path, { mode: "create", fs });
    await plain.write?.(0, pattern(least));
    let isWanted = true;
    await using file = await openFile(path, { mode: "rw", direct: () => isWanted, fs });
    await file.write?.(0, pattern(least));
    isWanted = false;
    await file.write?.(0, pattern(least, 2));
    await using reader = await openFile(path, { direct: true, fs });
    await reader.read(0, least, pageAlignedBytes(least));
    expect(reader.write).toBeUndefined();
    expect(calls).toEqual([
      "usual write 0",
      `${direct} write 0`,
      "usual write 0",
      `${direct} read 0`,
    ]);
    expect(readFileSync(path).equals(Buffer.from(pattern(least, 2)))).toBe(true);
  });

  test("are done without where the file cannot be opened for them, whatever the reason", async () => {
    for (const errno of ["EINVAL", "ENOTSUP", "EMFILE", "EIO"]) {
      const path = join(temporaryFolder(), "a");
      const opened: number[] = [];
      const fs: FileSystem = {
        ...nodeFileSystem,
        open: async (name, flags, mode) => {
          opened.push(flags);
          if (opened.length > 1) throw failure(errno);
          return nodeFileSystem.open(name, flags, mode);
        },
      };
      await using file = await openFile(path, { mode: "create", direct: true, fs });
      await file.write?.(0, pattern(least));
      expect(await file.read(0, least, pageAlignedBytes(least))).toEqual(pattern(least));
      expect(opened.length).toBe(isLinux ? 2 : 1);
      expect((opened[1] ?? 0) & (constants.O_CREAT | constants.O_EXCL)).toBe(0);
    }
  });

  test("never go to another file that has the name by now", async () => {
    const folder = temporaryFolder();
    const path = join(folder, "a");
    const noted = notingFileSystem();
    let opened = 0;
    const fs: FileSystem = {
      ...noted.fs,
      open: async (...args) => {
        if (++opened === 2) {
          renameSync(path, join(folder, "moved"));
          writeFileSync(path, "another");
        }
        return noted.fs.open(...args);
      },
    };
    const file = await openFile(path, { mode: "create", direct: true, fs });
    await file.write?.(0, pattern(least));
    await file.close();
    expect(opened).toBe(isLinux ? 2 : 1);
    const closed = isLinux ? ["direct close"] : [];
    expect(noted.calls).toEqual([...closed, "usual write 0", "usual close"]);
    if (!isLinux) return;
    expect(readFileSync(path, "utf8")).toBe("another");
    expect(readFileSync(join(folder, "moved")).equals(Buffer.from(pattern(least)))).toBe(true);
  });

  test.each(["EINVAL", "ENOTSUP"])(
    "that are refused as %s are done in the usual way, and not tried again",
    async (errno) => {
      for (const kind of ["read", "write"] as const) {
        const path = join(temporaryFolder(), "a");
        const { fs, calls } = notingFileSystem((which) =>
          which === "direct" ? { [kind]: () => Promise.reject(failure(errno)) } : {},
        );
        await using file = await openFile(path, { mode: "create", direct: true, fs });
        await file.write?.(0, pattern(least));
        expect(await file.read(0, least, pageAlignedBytes(least))).toEqual(pattern(least));
        await file.write?.(least, pattern(least));
        expect(await file.read(least, least, pageAlignedBytes(least))).toEqual(pattern(least));
        const later = ["usual read 0", `usual write ${least}`, `usual read ${least}`];
        if (isLinux && kind === "write")
          expect(calls).toEqual(["direct write 0", "usual write 0", ...later]);
        if (isLinux && kind === "read")
          expect(calls).toEqual(["direct write 0", "direct read 0", ...later]);
      }
    },
  );

  test("fail as others do, and are not tried again in the usual way", async () => {
    for (const [errno, code] of [
      ["ENOSPC", "IO_NO_SPACE"],
      ["EDQUOT", "IO_NO_SPACE"],
      ["EROFS", "IO_READ_ONLY"],
      ["EIO", "IO_FAILED"],
    ] as const) {
      const path = join(temporaryFolder(), "a");
      const refuse = () => Promise.reject(failure(errno));
      const { fs, calls } = notingFileSystem((kind) =>
        kind === direct ? { read: refuse, write: refuse } : {},
      );
      await using file = await openFile(path, { mode: "create", direct: true, fs });
      await expect(file.write?.(0, pattern(least))).rejects.toMatchObject({
        code,
        details: { errno, path },
      });
      await expect(file.read(0, least, pageAlignedBytes(least))).rejects.toMatchObject({ code });
      expect(calls).toEqual([`${direct} write 0`, `${direct} read 0`]);
    }
  });

  test("that are cut short go on, where they still can be direct and where not", async () => {
    for (const most of [1000, 20 * block, 20 * block + 1000]) {
      const path = join(temporaryFolder(), "a");
      const { fs, calls } = notingFileSystem((_, handle) => ({
        read: (into, position) => handle.read(into.subarray(0, most), position),
        write: (bytes, position) => handle.write(bytes.subarray(0, most), position),
      }));
      await using file = await openFile(path, { mode: "create", direct: true, fs });
      const content = pattern(40 * block);
      await file.write?.(0, content);
      expect(calls[1]).toBe(`${most === 20 * block ? direct : "usual"} write ${most}`);
      expect(readFileSync(path).equals(Buffer.from(content))).toBe(true);
      const into = pageAlignedBytes(41 * block);
      expect(await file.read(0, 41 * block, into)).toEqual(content);
    }
  });

  test("are over when the file is closed: both handles are", async () => {
    const path = join(temporaryFolder(), "a");
    const { fs, calls } = notingFileSystem();
    const file = await openFile(path, { mode: "create", direct: true, fs });
    await file.close();
    await file.close();
    expect(calls).toEqual(isLinux ? ["direct close", "usual close"] : ["usual close"]);
    await expect(file.write?.(0, pattern(least))).rejects.toMatchObject({ code: "IO_FAILED" });
  });

  test("leave no handle behind when one cannot be closed", async () => {
    for (const failing of ["direct", "usual"]) {
      const path = join(temporaryFolder(), "a");
      const closed: string[] = [];
      const { fs } = notingFileSystem((kind, handle) => ({
        close: async () => {
          await handle.close();
          closed.push(kind);
          if (kind === failing) throw failure("EIO");
        },
      }));
      const file = await openFile(path, { mode: "create", direct: true, fs });
      if (isLinux || failing === "usual")
        await expect(file.close()).rejects.toMatchObject({ code: "IO_FAILED" });
      else await file.close();
      expect(closed).toEqual(isLinux ? ["direct", "usual"] : ["usual"]);
    }
  });
});

describe("createFileDurably with direct transfers", () => {
  test("leaves the old file or the new one, and no temporary, whichever call fails", async () => {
    const content = pattern(2 * least);
    for (let failing = 1; ; failing++) {
      const folder = temporaryFolder();
      const path = join(folder, "a");
      writeFileSync(path, "old");
      let calls = 0;
      let failed = "";
      const count = (name: string): void => {
        if (++calls !== failing) return;
        failed = name;
        throw failure("EIO");
      };
      const fs: FileSystem = {
        ...nodeFileSystem,
        open: async (name, flags, mode) => {
          count(flags & constants.O_CREAT ? "create" : "open");
          const handle = await nodeFileSystem.open(name, flags & ~(constants.O_DIRECT ?? 0), mode);
          return {
            ...handle,
            stat: async () => {
              count("stat");
              return handle.stat();
            },
            write: async (bytes, position) => {
              count("write");
              return handle.write(bytes, position);
            },
            sync: async () => {
              count("sync");
              return handle.sync();
            },
          };
        },
      };
      const fill = async (file: { write?(at: number, bytes: Uint8Array): Promise<void> }) => {
        await file.write?.(0, content);
        await file.write?.(2 * least, Uint8Array.of(1));
      };
      const isMade = await createFileDurably(path, fill, { direct: true, fs }).then(
        () => true,
        () => false,
      );
      // Without a second handle, or without knowing that it is the same file, all goes the usual way.
      expect(isMade).toBe(["", "open", "stat"].includes(failed));
      const expected = isMade ? Buffer.concat([content, Uint8Array.of(1)]) : Buffer.from("old");
      expect(readFileSync(path).equals(expected)).toBe(true);
      expect(readdirSync(folder)).toEqual(["a"]);
      if (failed === "") {
        expect(failing).toBe(isLinux ? 8 : 5);
        break;
      }
    }
  });

  test("asks for them only when told to", async () => {
    const folder = temporaryFolder();
    for (const isDirect of [false, true]) {
      const { fs, calls } = notingFileSystem();
      const options = { fs, direct: isDirect };
      await createFileDurably(
        join(folder, "a"),
        async (file) => file.write?.(0, pattern(least)),
        options,
      );
      expect(calls[0]).toBe(`${isDirect ? direct : "usual"} write 0`);
    }
  });
});
