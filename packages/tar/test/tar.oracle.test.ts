import { execFileSync, spawnSync } from "node:child_process";
import {
  closeSync,
  ftruncateSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buildTar } from "@box/tar";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { bytes, entry, readTar } from "./archives.ts";

const version = spawnSync("tar", ["--version"], { encoding: "utf8" });
const hasTar = version.status === 0 && version.stdout.includes("GNU tar");
const title = hasTar ? "GNU tar" : "GNU tar (skipped: it is not installed)";

let folder = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "box-tar-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const tar = (...args: string[]): string =>
  execFileSync("tar", args, {
    cwd: folder,
    encoding: "utf8",
    env: { ...process.env, TZ: "UTC", LC_ALL: "C" },
  });

describe.skipIf(!hasTar)(title, () => {
  test("lists what the writer made, with owners, times and targets", () => {
    const long = `${"d".repeat(120)}/${"n".repeat(140)}`;
    const archive = buildTar([
      { entry: entry({ path: bytes("dir/"), type: "directory", mode: 0o1777 }) },
      {
        entry: entry({
          path: bytes("dir/f"),
          sizeBytes: 3,
          uid: 4_000_000_000,
          mtime: { seconds: 86_400, nanoseconds: 500_000_000 },
        }),
        content: bytes("abc"),
      },
      {
        entry: entry({
          path: bytes("s"),
          type: "symlink",
          mode: 0o777,
          linkPath: bytes("t".repeat(150)),
        }),
      },
      { entry: entry({ path: bytes("h"), type: "hardlink", linkPath: bytes("dir/f") }) },
      { entry: entry({ path: bytes("c"), type: "char", deviceMajor: 5, deviceMinor: 1 }) },
      { entry: entry({ path: bytes(long), mtime: { seconds: 0, nanoseconds: 1 } }) },
    ]);
    writeFileSync(join(folder, "a.tar"), archive);
    const lines = tar("--full-time", "--numeric-owner", "-tvf", "a.tar").trimEnd().split("\n");
    expect(lines.map((line) => line.replace(/ +/g, " "))).toEqual([
      "drwxrwxrwt 0/0 0 1970-01-01 00:00:00 dir/",
      "-rw-r--r-- 4000000000/0 3 1970-01-02 00:00:00.5 dir/f",
      `lrwxrwxrwx 0/0 0 1970-01-01 00:00:00 s -> ${"t".repeat(150)}`,
      "hrw-r--r-- 0/0 0 1970-01-01 00:00:00 h link to dir/f",
      "crw-r--r-- 0/0 5,1 1970-01-01 00:00:00 c",
      `-rw-r--r-- 0/0 0 1970-01-01 00:00:00.000000001 ${long}`,
    ]);
  });

  test("extracts times before 1970 as they were written", () => {
    const mtime = { seconds: -2, nanoseconds: 250_000_000 };
    writeFileSync(
      join(folder, "a.tar"),
      buildTar([{ entry: entry({ path: bytes("old"), mtime }) }]),
    );
    tar("--warning=no-timestamp", "-xf", "a.tar");
    expect(statSync(join(folder, "old"), { bigint: true }).mtimeNs).toBe(-1_750_000_000n);
  });

  test.each(["v7", "oldgnu", "gnu", "ustar", "posix"])(
    "writes %s archives that are read alike",
    (format) => {
      mkdirSync(join(folder, "in/sub"), { recursive: true });
      const content = Uint8Array.from({ length: 3000 }, (_, i) => i % 256);
      writeFileSync(join(folder, "in/sub/file"), content);
      utimesSync(join(folder, "in/sub/file"), 1_000_000_000.25, 1_000_000_000.25);
      linkSync(join(folder, "in/sub/file"), join(folder, "in/sub/hard"));
      symlinkSync("sub/file", join(folder, "in/soft"));
      tar(
        `--format=${format}`,
        "--sort=name",
        "-cf",
        "a.tar",
        "-C",
        "in",
        "soft",
        "sub/file",
        "sub/hard",
      );
      const read = readTar(readFileSync(join(folder, "a.tar")));
      expect(read.map(({ entry: { type } }) => type)).toEqual(["symlink", "file", "hardlink"]);
      expect(read[0]?.entry.linkPath).toEqual(bytes("sub/file"));
      expect(read[1]?.content).toEqual(content);
      expect(read[1]?.entry.mtime).toEqual({
        seconds: 1_000_000_000,
        nanoseconds: format === "posix" ? 250_000_000 : 0,
      });
      expect(read[2]?.entry.linkPath).toEqual(bytes("sub/file"));
    },
  );

  test.each([
    ["gnu", []],
    ["posix", ["--sparse-version=0.0"]],
    ["posix", ["--sparse-version=0.1"]],
    ["posix", ["--sparse-version=1.0"]],
  ])("writes sparse files as %s %j that are read in place", (format, options) => {
    const file = openSync(join(folder, "sparse"), "w");
    const places = Array.from({ length: 40 }, (_, i) => (i + 1) * 65_536);
    for (const place of places) writeSync(file, `at ${place}`, place);
    ftruncateSync(file, 3_000_000);
    closeSync(file);
    tar(`--format=${format}`, ...options, "--sparse", "-cf", "a.tar", "sparse");
    const archive = readFileSync(join(folder, "a.tar"));
    expect(archive.byteLength).toBeLessThan(1_000_000);
    for (const chunkBytes of [1000, 65_536]) {
      const [read] = readTar(archive, { chunkBytes });
      expect(read?.entry).toMatchObject({ path: bytes("sparse"), sizeBytes: 3_000_000 });
      expect(
        Buffer.compare(read?.content as Uint8Array, readFileSync(join(folder, "sparse"))),
      ).toBe(0);
    }
  });
});
