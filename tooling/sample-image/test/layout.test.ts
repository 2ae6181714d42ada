import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buildSampleImage, writeSampleLayout } from "@box/sample-image";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { foundTool, runTool } from "./found-tool.ts";
import { digestOf } from "./read-image.ts";

const skopeo = foundTool("skopeo");
const image = buildSampleImage();
let parent = "";
let layout = "";
beforeAll(async () => {
  parent = await mkdtemp(join(tmpdir(), "box-sample-"));
  layout = join(parent, "new", "layout");
  expect(await writeSampleLayout(layout, "latest")).toEqual(image);
});
afterAll(() => rm(parent, { recursive: true, force: true }));

describe("writeSampleLayout", () => {
  test("writes the layout's version and an index that tags the image", async () => {
    const marker = await readFile(join(layout, "oci-layout"), "utf8");
    expect(JSON.parse(marker)).toEqual({ imageLayoutVersion: "1.0.0" });
    const index = await readFile(join(layout, "index.json"), "utf8");
    expect(JSON.parse(index)).toEqual({
      schemaVersion: 2,
      manifests: [
        { ...image.index, annotations: { "org.opencontainers.image.ref.name": "latest" } },
      ],
    });
  });

  test("writes every blob under its digest", async () => {
    const folder = join(layout, "blobs", "sha256");
    const names = await readdir(folder);
    expect(names.map((name) => `sha256:${name}`).sort()).toEqual([...image.blobs.keys()].sort());
    for (const name of names) {
      expect(`sha256:${name}`).toBe(digestOf(await readFile(join(folder, name))));
    }
  });

  test.skipIf(skopeo === undefined)("writes what skopeo reads, for each platform", () => {
    for (const { platform } of image.manifests) {
      const args = [`--override-arch=${platform?.architecture}`, "--override-os=linux"];
      if (platform?.variant !== undefined) args.push(`--override-variant=${platform.variant}`);
      const { status, stdout, stderr } = runTool(skopeo ?? "", [
        ...args,
        "copy",
        `oci:${layout}:latest`,
        `oci:${join(parent, platform?.architecture ?? "")}:copied`,
      ]);
      expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
      expect(stdout).toContain("Writing manifest");
    }
  });
});
