import { execFileSync, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { bytes, readTar } from "./archives.ts";

const hasUmoci = spawnSync("umoci", ["--version"]).status === 0;
const title = hasUmoci ? "umoci" : "umoci (skipped: it is not installed)";

let folder = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "box-tar-umoci-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const umoci = (...args: string[]): string =>
  execFileSync("umoci", args, { cwd: folder, encoding: "utf8" });

/** The archive of the only layer of a layout. */
function layerOf(layout: string): Uint8Array {
  const blobs = join(folder, layout, "blobs", "sha256");
  const isGzip = (blob: Buffer): boolean => blob[0] === 0x1f && blob[1] === 0x8b;
  const layers = readdirSync(blobs)
    .map((name) => readFileSync(join(blobs, name)))
    .filter(isGzip);
  expect(layers).toHaveLength(1);
  return gunzipSync(layers[0] as Buffer);
}

describe.skipIf(!hasUmoci)(title, () => {
  test("writes layers whose last file may lack its padding, which are read whole", () => {
    umoci("init", "--layout", "image");
    umoci("new", "--image", "image:latest");
    mkdirSync(join(folder, "in"));
    writeFileSync(join(folder, "in/file"), "the last file");
    umoci("insert", "--rootless", "--image", "image:latest", "in", "/in");
    const archive = layerOf("image");
    const read = readTar(archive);
    expect(read.map(({ entry: { type } }) => type)).toEqual(["directory", "file"]);
    expect(read[1]).toMatchObject({ content: bytes("the last file"), ended: true });
    // As Go's reader has it: umoci unpacks what it wrote.
    umoci("unpack", "--rootless", "--image", "image:latest", "out");
    expect(readFileSync(join(folder, "out/rootfs/in/file"), "utf8")).toBe("the last file");
  });
});
