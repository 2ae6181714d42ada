import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import {
  bytesSource,
  copy,
  type Descriptor,
  describe as describeContent,
  digestOf,
  MemoryTarget,
  mediaTypes,
  OciLayout,
} from "@box/oras";
import { buildTar, type TarEntry } from "@box/tar";
import { describe, expect, test } from "vitest";
import { createTestHome } from "../support/boxed-home.ts";
import { canRun } from "../support/spawn-box.ts";

const bytes = (text: string) => new TextEncoder().encode(text);

function entry(path: string, more: Partial<TarEntry> = {}): TarEntry {
  return {
    ...{ path: bytes(path), type: "file", mode: 0o777, uid: 0, gid: 0, sizeBytes: 0 },
    ...{ mtime: { seconds: 0, nanoseconds: 0 }, linkPath: bytes(""), xattrs: [] },
    ...{ deviceMajor: 0, deviceMinor: 0 },
    ...more,
  };
}

const file = (path: string) => ({ entry: entry(path, { sizeBytes: 3 }), content: bytes("bad") });
const link = (path: string, target: string, type: "symlink" | "hardlink" = "symlink") => ({
  entry: entry(path, { type, linkPath: bytes(target) }),
});
const marker = (path: string) => ({ entry: entry(path) });

/** Layers that would write to, replace or remove `canary`, or what lies beside it, if they were unpacked on this machine. */
function escapingLayers(canary: string): Uint8Array[] {
  const climb = "../".repeat(40);
  const folder = canary.slice(0, canary.lastIndexOf("/"));
  return [
    buildTar([
      file(canary),
      file(`${climb}${canary.slice(1)}`),
      file(`a/b/${climb}${canary.slice(1)}`),
      link("out", folder),
      link("up", `${climb}${folder.slice(1)}`),
      link("kernel", "/proc/self/root"),
      link("here", "/proc/self/cwd"),
      file("out/made"),
      file("up/made"),
      file(`kernel${folder}/made`),
      file("here/made"),
      link("hard", canary, "hardlink"),
      link("to-canary", canary),
      file("to-canary"),
      { entry: entry("dev/disk", { type: "block", deviceMajor: 8 }) },
    ]),
    buildTar([
      marker(`out/.wh.canary`),
      marker(`up/.wh.canary`),
      marker("out/.wh..wh..opq"),
      marker(`${climb}.wh.${folder.split("/")[1]}`),
      link("hard-2", "up/canary", "hardlink"),
      file("up/canary"),
    ]),
  ];
}

/** Writes an image into a layout, under the tag `latest`. */
async function writeLayout(folder: string, archives: readonly Uint8Array[]): Promise<void> {
  const target = new MemoryTarget();
  const put = async (mediaType: string, content: Uint8Array): Promise<Descriptor> => {
    const descriptor = describeContent(mediaType, content);
    await target.push(descriptor, bytesSource(content));
    return descriptor;
  };
  const json = (value: unknown) => Buffer.from(JSON.stringify(value));
  const layers: Descriptor[] = [];
  for (const archive of archives)
    layers.push(await put(mediaTypes.ociLayerGzip, gzipSync(archive)));
  const rootfs = { type: "layers", diff_ids: archives.map((archive) => digestOf(archive)) };
  const architecture = process.arch === "x64" ? "amd64" : process.arch;
  const config = await put(mediaTypes.ociConfig, json({ os: "linux", architecture, rootfs }));
  const mediaType = mediaTypes.ociManifest;
  const manifest = await put(mediaType, json({ schemaVersion: 2, mediaType, config, layers }));
  await target.tag(manifest, "latest");
  await copy(target, "latest", await OciLayout.ensure(folder), "latest");
}

/** Calls that change what a path names; those that open only count when they may write. */
const changing = [
  ...["openat", "open", "creat", "openat2", "mkdir", "mkdirat", "mknod", "mknodat", "symlink"],
  ...["symlinkat", "link", "linkat", "rename", "renameat", "renameat2", "unlink", "unlinkat"],
  ...["rmdir", "truncate", "chmod", "fchmodat", "chown", "lchown", "fchownat", "utimensat"],
  ...["setxattr", "lsetxattr", "removexattr", "mount", "chroot", "pivot_root", "bind"],
];

/** The paths that a traced process changed or opened for writing; calls that failed are none. */
function changedPaths(trace: string): string[] {
  const paths: string[] = [];
  for (const line of trace.split("\n")) {
    const call = /^\d+ +(\w+)\((.*)\) += (-?\d+)/.exec(line);
    if (call === null || call[3] === "-1") continue;
    const [, name = "", args = ""] = call;
    if (/^open/.test(name) && !/O_WRONLY|O_RDWR|O_CREAT|O_TRUNC/.test(args)) continue;
    for (const [, path = ""] of args.matchAll(/"((?:[^"\\]|\\.)*)"/g)) paths.push(path);
  }
  return paths;
}

describe.skipIf(!canRun("strace", "-qq", "-o", "/dev/null", "true"))(
  "an image whose layers try to leave it, watched by strace,",
  () => {
    test.each([
      ["becomes a box", ["create", "IMAGE", "--name", "web"]],
      ["becomes a file", ["rootfs", "build", "IMAGE", "-o", "OUTPUT"]],
    ])("%s, and nothing outside the home is opened for writing", async (_what, argv) => {
      const { folder, home, box } = await createTestHome();
      const outside = join(folder, "outside");
      const output = join(home, "output.ext4");
      const trace = join(folder, "trace");
      const canary = join(outside, "canary");
      await mkdir(outside);
      await mkdir(home, { mode: 0o700 });
      await writeFile(canary, "sings");
      await writeLayout(join(folder, "hostile"), escapingLayers(canary));
      const words = argv.map((word) =>
        word === "IMAGE"
          ? `oci:${join(folder, "hostile")}:latest`
          : word === "OUTPUT"
            ? output
            : word,
      );
      const under = ["strace", "-f", "-qq", "-s", "4096", "-o", trace];
      const calls = `trace=?${changing.join(",?")}`;
      const run = await box(words, {
        under: [...under, "-e", calls],
        cwd: outside,
        // What Node.js keeps of box's own code in the temporary folder is no matter of an image.
        env: { NODE_DISABLE_COMPILE_CACHE: "1", TMPDIR: outside },
      });
      expect(run.stderr).not.toContain("error[");
      expect(run.exitCode).toBe(0);
      const paths = changedPaths(await readFile(trace, "utf8"));
      expect(paths.filter((path) => path.startsWith(`${home}/`)).length).toBeGreaterThan(10);
      expect(
        paths.filter(
          (path) => path !== home && !path.startsWith(`${home}/`) && path !== "/dev/null",
        ),
      ).toEqual([]);
      expect(await readdir(outside)).toEqual(["canary"]);
      expect(await readFile(canary, "utf8")).toBe("sings");
    });
  },
);
