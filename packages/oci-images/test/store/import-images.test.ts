import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { ImageStore, type PullEvent } from "@box/oci-images";
import {
  attach,
  bytesSource,
  copy,
  type Descriptor,
  describe as describeContent,
  MemoryTarget,
  OciLayout,
} from "@box/oras";
import { describe, expect, test } from "vitest";
import { expectCode } from "../expect-code.ts";
import { addImage, noise } from "../sample-image.ts";
import { temporaryFolder } from "../temporary-folder.ts";

const platform = { os: "linux", architecture: "amd64" };

async function layoutWith(name: string | undefined) {
  const folder = await temporaryFolder();
  const target = new MemoryTarget();
  const root = await addImage(target);
  await target.tag(root, "v1");
  const layout = await OciLayout.ensure(join(folder, "layout"));
  await copy(target, "v1", layout);
  const store = await ImageStore.open(join(folder, "store"), { platform });
  const report = await attach(layout, root, { artifactType: "application/x.report" });
  const unknown = describeContent("application/x-unknown", noise(20));
  await layout.push(unknown, bytesSource(noise(20)));
  await list(layout, root, name);
  return { layout, root, store, others: [report, unknown] };
}

/** Makes an image the only entry of a layout. */
async function list(layout: OciLayout, root: Descriptor, name: string | undefined): Promise<void> {
  const annotations = { "io.containerd.image.name": name };
  await writeIndex(layout, [name === undefined ? root : { ...root, annotations }]);
}

async function writeIndex(layout: OciLayout, manifests: readonly unknown[]): Promise<void> {
  const path = join(layout.directory, "index.json");
  await writeFile(path, JSON.stringify({ schemaVersion: 2, manifests }));
}

async function addEntries(layout: OciLayout, entries: readonly Descriptor[]): Promise<void> {
  const text = await readFile(join(layout.directory, "index.json"), "utf8");
  const { manifests } = JSON.parse(text) as { manifests: unknown[] };
  const bare = entries.map(({ mediaType, digest, size }) => ({ mediaType, digest, size }));
  await writeIndex(layout, [...manifests, ...bare]);
}

test("an import of what holds no image fails", async () => {
  const { layout, store } = await layoutWith(undefined);
  await writeIndex(layout, []);
  const error = await expectCode(store.import(layout), "OCI_NOT_FOUND");
  expect(error.message).toContain(`image layout ${layout.directory}: it holds no image`);
});

describe("an import passes over what is no image", () => {
  test("beside images with names, and says so", async () => {
    const { layout, root, store, others } = await layoutWith("example.com/a:v1");
    await addEntries(layout, others);
    const events: PullEvent[] = [];
    const images = await store.import(layout, { onEvent: (event) => events.push(event) });
    expect(images.map(({ reference }) => reference)).toEqual(["example.com/a:v1"]);
    expect(images[0]?.digest).toBe(root.digest);
    const warnings = events.filter(({ type }) => type === "warning");
    expect(warnings).toEqual(
      others.map(({ digest }) => ({
        type: "warning",
        code: "OCI_NOT_AN_IMAGE",
        message: `passed over ${digest}: it is no image`,
      })),
    );
  });

  test("beside the only image, which is given a name", async () => {
    const { layout, store, others } = await layoutWith(undefined);
    await addEntries(layout, others);
    await expectCode(store.import(layout), "OCI_AMBIGUOUS_REFERENCE");
    const [image] = await store.import(layout, { name: "app:v1" });
    expect(image?.reference).toBe("docker.io/library/app:v1");
  });

  test("but not when there is nothing else", async () => {
    const { layout, store, others } = await layoutWith(undefined);
    await writeIndex(layout, others.slice(0, 1));
    await expectCode(store.import(layout, { name: "app:v1" }), "OCI_NOT_AN_IMAGE");
    await writeIndex(layout, others);
    await expectCode(store.import(layout), "OCI_AMBIGUOUS_REFERENCE");
  });
});
