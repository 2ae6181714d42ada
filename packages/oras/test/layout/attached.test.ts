import { readFile } from "node:fs/promises";
import { join } from "node:path";
import {
  attach,
  bytesSource,
  copy,
  type Descriptor,
  describe as describeContent,
  discover,
  extendedCopy,
  MemoryTarget,
  mediaTypes,
  OciLayout,
  pack,
} from "@box/oras";
import { describe, expect, test } from "vitest";
import { expectCode } from "../expect-code.ts";
import { add, encodeJson, sampleImage } from "../sample-image.ts";
import { temporaryFolder } from "../temporary-folder.ts";

const artifactType = "application/x.report";

async function imageIn(name = "v1"): Promise<{ layout: OciLayout; root: Descriptor }> {
  const layout = await OciLayout.ensure(join(await temporaryFolder(), "layout"));
  const { target } = await sampleImage();
  return { layout, root: await copy(target, "v1", layout, name) };
}

async function entriesOf({ directory }: OciLayout): Promise<readonly Descriptor[]> {
  const { manifests } = JSON.parse(await readFile(join(directory, "index.json"), "utf8"));
  return manifests;
}

describe("what is attached to content of a layout", () => {
  test("has an entry without a name, so that other tools find it", async () => {
    const { layout, root } = await imageIn();
    const report = await attach(layout, root, { artifactType, annotations: { made: "today" } });
    const signature = await attach(layout, report, { artifactType: "application/x.signature" });
    const { mediaType } = root;
    expect((await entriesOf(layout)).slice(1)).toEqual([
      { mediaType, digest: report.digest, size: report.size, artifactType },
      { ...bare(signature), artifactType: "application/x.signature" },
    ]);
    expect(await discover(layout, root)).toMatchObject([
      { descriptor: { digest: report.digest }, referrers: [{ descriptor: bare(signature) }] },
    ]);
  });

  test("has no more than one entry, also when its content was there already", async () => {
    const { layout, root } = await imageIn();
    for (let count = 0; count < 2; count++) await attach(layout, root, { artifactType });
    expect(await entriesOf(layout)).toHaveLength(2);
    const [, report] = (await entriesOf(layout)) as [Descriptor, Descriptor];
    await layout.tag(report, "report");
    await attach(layout, root, { artifactType });
    expect(await entriesOf(layout)).toMatchObject([{}, { digest: report.digest, annotations: {} }]);
    expect(await layout.resolve("report")).toMatchObject(bare(report));
  });

  test("takes no name by its annotations, and none from others", async () => {
    const { layout, root } = await imageIn();
    const annotations = {
      "org.opencontainers.image.ref.name": "v1",
      "io.containerd.image.name": "v1",
    };
    const report = await attach(layout, root, { artifactType, annotations });
    expect(await layout.resolve("v1")).toMatchObject(bare(root));
    expect(await entriesOf(layout)).toMatchObject([{}, { digest: report.digest }]);
  });

  test("makes no entry as long as its type allows", async () => {
    const { layout, root } = await imageIn();
    await attach(layout, root, { artifactType: `a/${"x".repeat(100_000)}` });
    const [, entry] = await entriesOf(layout);
    expect(Object.keys(entry ?? {})).toEqual(["mediaType", "digest", "size"]);
  });

  test("is never what a layout without names holds", async () => {
    const { layout, root } = await imageIn();
    await attach(layout, root, { artifactType });
    expect(await layout.resolveOnly()).toMatchObject(bare(root));
    await layout.untag("v1");
    const [only] = (await entriesOf(layout)) as [Descriptor];
    // Then it is all that there is.
    expect(await layout.resolveOnly()).toMatchObject(bare(only));
    await attach(layout, root, { artifactType: "application/x.other" });
    await expectCode(layout.resolveOnly(), "OCI_AMBIGUOUS_REFERENCE");
  });

  test("comes with what it is attached to when all of it is copied", async () => {
    const source = new MemoryTarget();
    const { target } = await sampleImage();
    const root = await copy(target, "v1", source);
    const report = await attach(source, root, { artifactType });
    const layout = await OciLayout.ensure(join(await temporaryFolder(), "layout"));
    await extendedCopy(source, "v1", layout);
    expect((await entriesOf(layout)).map(({ digest }) => digest)).toEqual([
      report.digest,
      root.digest,
    ]);
  });
});

describe("no entry is made", () => {
  test("for artifacts about themselves, for blobs and for what is no manifest", async () => {
    const { layout, root } = await imageIn();
    await pack(layout, { artifactType });
    const { manifestBytes } = await sampleImage();
    const manifest = { ...JSON.parse(new TextDecoder().decode(manifestBytes)), subject: root };
    const bytes = encodeJson(manifest);
    await add(layout, mediaTypes.ociLayer, bytes);
    const junk = Buffer.from('{"subject": 7');
    await layout.push(describeContent(mediaTypes.ociManifest, junk), bytesSource(junk));
    expect(await entriesOf(layout)).toHaveLength(1);
    await add(layout, mediaTypes.ociManifest, bytes);
    expect(await entriesOf(layout)).toHaveLength(2);
  });

  test("beyond the limit of index.json", async () => {
    const { layout, root } = await imageIn();
    const { size } = await readFile(join(layout.directory, "index.json")).then((text) => ({
      size: text.byteLength,
    }));
    const small = layout.with({ limits: { maxIndexBytes: size + 10 } });
    await expectCode(attach(small, root, { artifactType }), "OCI_TOO_LARGE");
    expect(await entriesOf(layout)).toHaveLength(1);
  });
});

function bare({ mediaType, digest, size }: Descriptor): Descriptor {
  return { mediaType, digest, size };
}
