import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { sampleLayers } from "../src/layers.ts";
import { writeTar } from "../src/tar.ts";
import { foundTool, runTool } from "./found-tool.ts";

const tar = foundTool("tar");
const isGnuTar =
  tar !== undefined && runTool(tar, ["--version"]).stdout.startsWith("tar (GNU tar)");
if (!isGnuTar) console.warn("skipped: tar is not GNU tar");

let folder = "";
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "box-sample-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

test.skipIf(!isGnuTar)(
  "GNU tar lists the layers with everything that is special in them",
  async () => {
    const listings = sampleLayers("amd64").map(({ files }) => writeTar(files));
    const lines: string[] = [];
    for (const [i, bytes] of listings.entries()) {
      const path = join(folder, `${i}.tar`);
      await writeFile(path, bytes);
      const options = ["--list", "--verbose", "--verbose", "--full-time", "--numeric-owner"];
      const { status, stdout, stderr } = runTool(tar ?? "", [
        ...options,
        "--xattrs",
        "--file",
        path,
      ]);
      expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
      lines.push(...stdout.split("\n").map((line) => line.replace(/ +/g, " ")));
    }
    expect(lines).toEqual(
      expect.arrayContaining([
        expect.stringMatching(/^drwxrwxrwt 0\/0 0 .* tmp\/$/),
        expect.stringMatching(/^drwxr-x--- 1000\/1000 0 .* home\/box\/$/),
        expect.stringMatching(/^-rw-r--r-- 0\/0 200001 .*:\d\d\.123456789 srv\/data\.bin$/),
        expect.stringMatching(/^hrw-r--r-- .* bin\/hi link to bin\/hello$/),
        expect.stringMatching(/^hrw-r--r-- .* srv\/data-again\.bin link to srv\/data\.bin$/),
        expect.stringMatching(/^-rwsr-xr-x .* usr\/bin\/as-root$/),
        expect.stringMatching(/^lrwxrwxrwx .* usr\/bin\/hello -> \.\.\/\.\.\/bin\/hello$/),
        expect.stringMatching(/^ x: 3 user\.layer$/),
        expect.stringMatching(/ usr\/share\/notes\/caf\\351$/),
        expect.stringMatching(/ usr\/share\/notes\/(long-){40}name$/),
      ]),
    );
  },
);
