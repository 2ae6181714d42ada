import { mkdir, mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { readExt4 } from "@box/ext4";
import { openFile } from "@box/io/node";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { missing, output } from "../overlay/program.ts";

const child = fileURLToPath(new URL("build-hostile-in-child.ts", import.meta.url));

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "box-hostile-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

/** Calls that change something named by a path; those of `open` only count when they may write. */
const changing = [
  ...["openat", "open", "creat", "openat2", "mkdir", "mkdirat", "mknod", "mknodat", "symlink"],
  ...["symlinkat", "link", "linkat", "rename", "renameat", "renameat2", "unlink", "unlinkat"],
  ...["rmdir", "truncate", "chmod", "fchmodat", "chown", "lchown", "fchownat", "utimensat"],
  ...["setxattr", "lsetxattr", "removexattr", "mount", "chroot", "pivot_root"],
];

/** The paths that a traced process changed or opened for writing, without those of failed calls. */
function writtenPaths(trace: string): string[] {
  const paths: string[] = [];
  for (const line of trace.split("\n")) {
    const call = /^\d+ +(\w+)\((.*)\) += (-?\d+)/.exec(line);
    if (call === null || call[3] === "-1") continue;
    const [, name = "", args = ""] = call;
    const isReadOnly = /^open|^creat/.test(name) && !/O_WRONLY|O_RDWR|O_CREAT|O_TRUNC/.test(args);
    if (isReadOnly) continue;
    for (const [, path = ""] of args.matchAll(/"((?:[^"\\]|\\.)*)"/g)) paths.push(path);
  }
  return paths;
}

describe.skipIf(missing("strace") !== undefined)("a hostile image, watched by strace", () => {
  test("makes nothing outside the home, and its paths end inside the image", async () => {
    const home = join(folder, "home");
    const outside = join(folder, "outside");
    const canary = join(outside, "canary");
    await mkdir(home);
    await mkdir(outside);
    const log = join(folder, "trace");
    const base = await output(
      "strace",
      ...["-f", "-qq", "-s", "4096", "-o", log, "-e", `trace=?${changing.join(",?")}`],
      ...[process.execPath, "--conditions=@box/source", "--no-warnings", child, home, canary],
    );
    const paths = writtenPaths(await readFile(log, "utf8"));
    // The disk, its record and their temporary names, at least.
    expect(paths.filter((path) => path.startsWith(home)).length).toBeGreaterThan(5);
    expect(paths.filter((path) => !path.startsWith(home) && path !== "/dev/null")).toEqual([]);
    expect(await readdir(outside)).toEqual([]);
    if (missing("e2fsck") === undefined) {
      expect(await output("e2fsck", "-fn", base)).not.toMatch(/fix|WARNING/i);
    }
    await using file = await openFile(base);
    const reader = await readExt4(file);
    const found: string[] = [];
    for await (const { path } of reader.walk()) found.push(new TextDecoder().decode(path));
    // The second layer's markers have hidden what the first one put there, in the image.
    expect(found.sort()).toEqual(["b", "lost+found", "loop-a", "loop-b"].sort());
  });
});
