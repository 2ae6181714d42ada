import { cp, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { serveRegistry } from "@box/oras/registry-server";
import { Runtime } from "@box/runtime";
import { pushSampleImage } from "@box/sample-image";
import { onTestFinished } from "vitest";
import { FakeImages } from "../fake-images.ts";
import { temporaryFolder } from "../test-home.ts";
import { fillBox } from "./box-content.ts";

/** A home that can be had again as it was: a box `web` with data and a snapshot, and a base that nothing uses. */
export interface TemplateHome {
  readonly home: string;
  /** An archive of the box, beside the home; `.new` after its name is free. */
  readonly archive: string;
  /** A registry that has the image `hello:v1`, by its host and port. */
  readonly registry: string;
  /** Makes the home anew. */
  restore(): Promise<void>;
}

/** Makes one in a folder of its own. */
export async function makeTemplateHome(): Promise<TemplateHome> {
  const folder = await temporaryFolder();
  const home = join(folder, "home");
  const runtime = await Runtime.open({ home, images: new FakeImages() });
  const { box } = await runtime.boxes.create({
    image: "app",
    name: "web",
    diskSizeBytes: 32 * 1024 * 1024,
  });
  await fillBox(box, () => runtime.boxes.createSnapshot("web", "s1"));
  const archive = join(folder, "archive");
  await runtime.boxes.export("web", archive);
  await runtime.boxes.create({ image: "unused", name: "gone" });
  await runtime.boxes.remove("gone");
  await runtime.close();
  const template = join(folder, "template");
  await cp(home, template, { recursive: true, preserveTimestamps: true });
  const restore = async () => {
    await rm(home, { recursive: true });
    await rm(`${archive}.new`, { force: true });
    await cp(template, home, { recursive: true, preserveTimestamps: true });
  };
  return { home, archive, registry: await startRegistry(), restore };
}

async function startRegistry(): Promise<string> {
  const registry = await serveRegistry();
  onTestFinished(() => registry.close());
  await pushSampleImage(registry.origin, "hello", "v1");
  return registry.host;
}

/** Files of dead processes, and folders of no box. */
export async function litterIn(runtime: Runtime): Promise<readonly string[]> {
  const { root } = runtime.home;
  const [all, boxes, known] = await Promise.all([
    readdir(root, { recursive: true }),
    readdir(join(root, "boxes")),
    runtime.boxes.list(),
  ]);
  const ids = known.map(({ id }) => id);
  return [
    ...all.filter((name) => name.includes(".tmp-")),
    ...boxes.filter((id) => !ids.includes(id)),
  ];
}
