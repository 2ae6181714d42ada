import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { ImageStore } from "@box/oci-images";
import { copy, digestOf, MemoryTarget, mediaTypes, OciLayout } from "@box/oras";
import { serveRegistry } from "@box/oras/registry-server";
import { hasTool, run } from "@box/test-support";
import { describe, expect, test } from "vitest";
import { addImage } from "../sample-image.ts";
import { temporaryFolder } from "../temporary-folder.ts";

const platform = { os: "linux", architecture: "amd64" };
const hasSkopeo = hasTool("skopeo");

describe.skipIf(!hasSkopeo)("skopeo", () => {
  test("reads the store, and the store reads what skopeo wrote", async () => {
    const folder = await temporaryFolder();
    const target = new MemoryTarget();
    const root = await addImage(target, { tars: [new Uint8Array(10_240), new Uint8Array(20_480)] });
    await target.tag(root, "v1");
    const ours = await OciLayout.ensure(join(folder, "ours"));
    await copy(target, "v1", ours);
    const copyArgs = ["--insecure-policy", "copy"];
    await run("skopeo", [...copyArgs, `oci:${ours.directory}:v1`, `oci:${folder}/theirs:v2`]);
    await using registry = await serveRegistry();
    const remote = `${registry.host}/team/app:v3`;
    const push = [...copyArgs, "--dest-tls-verify=false"];
    await run("skopeo", [...push, `oci:${folder}/theirs:v2`, `docker://${remote}`]);
    const store = await ImageStore.open(join(folder, "store"), { platform });
    const image = await store.pull(`oci:${folder}/theirs:v2`);
    expect(image.digest).toBe(root.digest);
    expect((await store.pull(remote)).digest).toBe(root.digest);
    const fromStore = `oci:${folder}/store:${remote}`;
    const inspected = JSON.parse(await run("skopeo", ["inspect", fromStore]));
    expect(inspected.Digest).toBe(root.digest);
    await run("skopeo", [...copyArgs, fromStore, `oci:${folder}/again:v3`]);
  });

  test("pushes images of Docker's schema 2 that the store pulls, and reads its archives of them", async () => {
    const folder = await temporaryFolder();
    const target = new MemoryTarget();
    const tars = [new Uint8Array(10_240), new Uint8Array(20_480)];
    await target.tag(await addImage(target, { tars }), "v1");
    const layout = await OciLayout.ensure(join(folder, "layout"));
    await copy(target, "v1", layout);
    await using registry = await serveRegistry();
    const remote = `${registry.host}/team/app:v1`;
    const push = ["--insecure-policy", "copy", "--dest-tls-verify=false", "--format", "v2s2"];
    await run("skopeo", [...push, `oci:${layout.directory}:v1`, `docker://${remote}`]);
    const store = await ImageStore.open(join(folder, "store"), { platform });
    const image = await store.pull(remote);
    expect(image.root.mediaType).toBe(mediaTypes.dockerManifest);
    expect(image.manifest.config.mediaType).toBe(mediaTypes.dockerConfig);
    expect(image.config.diffIds).toEqual(tars.map((tar) => digestOf(tar)));
    for (const layer of image.layers) for await (const _chunk of store.openLayer(layer));
    // In an image layout skopeo knows only OCI's own types; in an archive it takes these.
    const path = join(folder, "docker.tar");
    await writeFile(path, await store.export(remote, { format: "docker-archive" }));
    const inspected = await run("skopeo", ["inspect", "--config", `docker-archive:${path}`]);
    expect(JSON.parse(inspected).rootfs.diff_ids).toEqual(image.config.diffIds);
  });

  test.each(["oci-archive", "docker-archive", "docker-archive-legacy"] as const)(
    "reads what the store exports as %s",
    async (format) => {
      const folder = await temporaryFolder();
      const target = new MemoryTarget();
      const tars = [new Uint8Array(10_240), new Uint8Array(20_480), new Uint8Array(10_240)];
      await target.tag(await addImage(target, { tars }), "v1");
      const layout = await OciLayout.ensure(join(folder, "layout"));
      await copy(target, "v1", layout);
      const store = await ImageStore.open(join(folder, "store"), { platform });
      const name = "registry.test/team/app:v1";
      const [image] = await store.import(layout, { name });
      const path = join(folder, "export.tar");
      await writeFile(path, await store.export(name, { format, name }));
      const source =
        format === "oci-archive" ? `oci-archive:${path}:v1` : `docker-archive:${path}:${name}`;
      const inspected = JSON.parse(await run("skopeo", ["inspect", "--config", source]));
      expect(inspected.rootfs.diff_ids).toEqual(image?.layers.map(({ diffId }) => diffId));
      await run("skopeo", ["--insecure-policy", "copy", source, `oci:${folder}/copied:v1`]);
      const back = await store.pull(`oci:${folder}/copied:v1`);
      expect(back.config).toEqual(image?.config);
      for (const layer of back.layers) for await (const _chunk of store.openLayer(layer));
      if (format === "oci-archive") expect(back.digest).toBe(image?.digest);
    },
  );

  test("writes archives that the store imports", async () => {
    const folder = await temporaryFolder();
    const target = new MemoryTarget();
    const root = await addImage(target, { tars: [new Uint8Array(10_240), new Uint8Array(20_480)] });
    await target.tag(root, "v1");
    const layout = await OciLayout.ensure(join(folder, "layout"));
    await copy(target, "v1", layout);
    const from = `oci:${layout.directory}:v1`;
    const store = await ImageStore.open(join(folder, "store"), { platform });
    await run("skopeo", ["--insecure-policy", "copy", from, `oci-archive:${folder}/o.tar:v9`]);
    expect((await store.pull(`oci-archive:${folder}/o.tar:v9`)).digest).toBe(root.digest);
    expect((await store.pull(`oci-archive:${folder}/o.tar`)).digest).toBe(root.digest);
    await run("skopeo", [
      "--insecure-policy",
      "copy",
      from,
      `docker-archive:${folder}/d.tar:app:1`,
    ]);
    const image = await store.pull(`docker-archive:${folder}/d.tar:app:1`);
    for (const layer of image.layers) for await (const _chunk of store.openLayer(layer));
    expect(image.layers).toHaveLength(2);
  });
});
