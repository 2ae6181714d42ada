import { mkdirSync, readdirSync, renameSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { withinDirectory } from "@box/qcow2/node";
import { describe, expect, it, vi } from "vitest";
import { temporaryFolder } from "../support/qemu.ts";

const after = vi.hoisted(() => ({ realpath: (_path: string): void => {}, hasProc: true }));
const requireProc = vi.hoisted(() => (path: string): void => {
  if (after.hasProc || !path.startsWith("/proc/")) return;
  throw Object.assign(new Error("ENOENT: no such file or directory"), { code: "ENOENT" });
});

vi.mock("node:fs", async (importOriginal) => {
  const original = await importOriginal<typeof import("node:fs")>();
  const openSync: typeof original.openSync = (path, ...rest) => {
    requireProc(String(path));
    return original.openSync(path, ...rest);
  };
  return { ...original, openSync };
});

vi.mock("node:fs/promises", async (importOriginal) => {
  const original = await importOriginal<typeof import("node:fs/promises")>();
  const realpath = async (path: string): Promise<string> => {
    const found = await original.realpath(path);
    after.realpath(found);
    return found;
  };
  const open: typeof original.open = async (path, ...rest) => {
    requireProc(String(path));
    return original.open(path, ...rest);
  };
  const access: typeof original.access = async (path, ...rest) => {
    requireProc(String(path));
    return original.access(path, ...rest);
  };
  return { ...original, realpath, open, access };
});

/** What someone does between the moment a path was looked at and the moment it is opened. */
const swaps: Readonly<Record<string, (root: string, outside: string) => void>> = {
  "the file": (root, outside) => {
    renameSync(join(root, "a/b/base.raw"), join(root, "old"));
    symlinkSync(join(outside, "base.raw"), join(root, "a/b/base.raw"));
  },
  "its folder": (root, outside) => {
    renameSync(join(root, "a/b"), join(root, "old"));
    symlinkSync(outside, join(root, "a/b"));
  },
  "a folder further up": (root, outside) => {
    renameSync(join(root, "a"), join(root, "old"));
    mkdirSync(join(outside, "b"));
    writeFileSync(join(outside, "b/base.raw"), "secret");
    symlinkSync(outside, join(root, "a"));
  },
  "the allowed folder": (root, outside) => {
    renameSync(root, `${root}.old`);
    mkdirSync(join(outside, "a/b"), { recursive: true });
    writeFileSync(join(outside, "a/b/base.raw"), "secret");
    symlinkSync(outside, root);
  },
};

describe("withinDirectory, when a link is put where it looked", () => {
  it.for(Object.keys(swaps))("does not follow it: %s", async (name) => {
    using folder = temporaryFolder();
    const [root, outside] = [join(folder.path, "root"), join(folder.path, "outside")];
    mkdirSync(join(root, "a/b"), { recursive: true });
    mkdirSync(outside);
    writeFileSync(join(root, "a/b/base.raw"), "allowed");
    writeFileSync(join(outside, "base.raw"), "secret");
    after.realpath = (path) => {
      if (path.endsWith("base.raw")) swaps[name]?.(root, outside);
    };
    try {
      await expect(requestOf(root, "a/b/base.raw")).rejects.toMatchObject({ kind: "io" });
    } finally {
      after.realpath = () => {};
    }
  });

  it("opens for reading unless writing is asked for, and leaves no folder open", async () => {
    using folder = temporaryFolder();
    mkdirSync(join(folder.path, "a"));
    writeFileSync(join(folder.path, "a/base.raw"), "x");
    const before = readdirSync("/proc/self/fd").length;
    const reading = await requestOf(folder.path, "a/base.raw");
    expect(reading?.source.write).toBeUndefined();
    const writing = await requestOf(folder.path, "a/base.raw", "rw");
    expect(writing?.source.write).toBeDefined();
    expect(readdirSync("/proc/self/fd")).toHaveLength(before + 2);
    await reading?.source.close?.();
    await writing?.source.close?.();
    await expect(requestOf(folder.path, "a/none.raw")).rejects.toMatchObject({ kind: "not-found" });
    expect(readdirSync("/proc/self/fd")).toHaveLength(before);
  });
});

describe("withinDirectory, without /proc", () => {
  it("says that it cannot open files, and not that they are missing", async () => {
    using folder = temporaryFolder();
    writeFileSync(join(folder.path, "base.raw"), "x");
    after.hasProc = false;
    try {
      await expect(requestOf(folder.path, "base.raw")).rejects.toMatchObject({
        kind: "io",
        message: expect.stringContaining("/proc/self/fd is needed"),
      });
    } finally {
      after.hasProc = true;
    }
  });
});

function requestOf(root: string, name: string, mode: "r" | "rw" = "r") {
  const nameBytes = new TextEncoder().encode(name);
  const role = mode === "r" ? "backing" : "data-file";
  return withinDirectory(root)({ role, nameBytes, name, displayName: name, depth: 1, mode });
}
