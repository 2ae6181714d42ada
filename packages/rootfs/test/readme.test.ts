import { mkdir, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ImageStore } from "@box/oci-images";
import { BaseCache, layersOfImage, prepareOverlay } from "@box/rootfs";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { archiveOf } from "./merge/layers.ts";
import { writeOciLayout } from "./merge/oci-layout.ts";
import { sampleLayers } from "./merge/sample-layers.ts";

let home: string;
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), "box-readme-"));
});
afterEach(() => rm(home, { recursive: true, force: true }));

test("the README's example makes a disk", async () => {
  const readme = await readFile(new URL("../README.md", import.meta.url), "utf8");
  const [, example = ""] = /```ts\n([\s\S]*?)```/.exec(readme) ?? [];
  const body = example.replace(/^import .*\n/gm, "");
  await writeOciLayout(join(home, "layout"), sampleLayers.map(archiveOf));
  await mkdir(join(home, "images"), { recursive: true });
  const names = { ImageStore, BaseCache, layersOfImage, prepareOverlay };
  const log = vi.fn();
  const run = new Function(
    ...Object.keys(names),
    "home",
    "reference",
    "console",
    `return (async () => {${body}})();`,
  ) as (...values: unknown[]) => Promise<void>;
  await run(...Object.values(names), home, `oci:${join(home, "layout")}:latest`, { log });
  expect(log).toHaveBeenCalledWith("created", expect.objectContaining({ type: "made" }));
});
