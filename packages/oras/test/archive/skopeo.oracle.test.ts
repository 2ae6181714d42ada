import { join } from "node:path";
import {
  type ArchiveFormat,
  copy,
  createArchive,
  digestOf,
  ImageArchive,
  MemoryTarget,
  OciLayout,
} from "@box/oras";
import { drain, hasTool, run } from "@box/test-support";
import { describe, expect, onTestFinished, test } from "vitest";
import { sampleImage } from "../sample-image.ts";
import { temporaryFolder } from "../temporary-folder.ts";

const skopeo = (...args: string[]): Promise<string> =>
  run("skopeo", ["--insecure-policy", ...args]);
const transportOf = (format: ArchiveFormat): string =>
  format === "oci-archive" ? format : "docker-archive";

describe.skipIf(!hasTool("skopeo"))("skopeo", () => {
  test.each(["oci-archive", "docker-archive", "docker-archive-legacy"] as const)(
    "reads what is written as %s",
    async (format) => {
      const folder = await temporaryFolder();
      const image = await sampleImage([10_240, 2_000_000, 10_240]);
      const path = join(folder, "ours.tar");
      const fill = (archive: Parameters<typeof copy>[2]) =>
        copy(image.target, "v1", archive, "localhost/app:v1");
      await createArchive(path, fill, { format });
      const tag = format === "oci-archive" ? "v1" : "localhost/app:v1";
      const source = `${transportOf(format)}:${path}:${tag}`;
      const facts = JSON.parse(await skopeo("inspect", source));
      expect([facts.Architecture, facts.Os, facts.Env]).toEqual(["amd64", "linux", ["PATH=/bin"]]);
      expect(facts.Layers).toHaveLength(3);
      await skopeo("copy", source, `oci:${folder}/theirs:v1`);
      const theirs = await OciLayout.open(join(folder, "theirs"));
      const root = await theirs.resolve("v1");
      if (format === "oci-archive") expect(root.digest).toBe(image.root.digest);
      const manifest = JSON.parse(new TextDecoder().decode(await drain(theirs.fetch(root))));
      expect(digestOf(await drain(theirs.fetch(manifest.config)))).toBe(manifest.config.digest);
      expect(manifest.layers).toHaveLength(3);
    },
  );

  test.each(["oci-archive", "docker-archive"] as const)(
    "writes %s, which is read and gives the same image again",
    async (transport) => {
      const folder = await temporaryFolder();
      const image = await sampleImage([10_240, 2_000_000, 10_240]);
      const layout = await OciLayout.ensure(join(folder, "layout"));
      await copy(image.target, "v1", layout);
      const path = join(folder, "theirs.tar");
      const name = transport === "oci-archive" ? "v1" : "localhost/app:v1";
      await skopeo("copy", `oci:${layout.directory}:v1`, `${transport}:${path}:${name}`);
      const archive = await ImageArchive.open(path);
      onTestFinished(() => archive.close());
      expect(archive.form).toBe(transport === "oci-archive" ? "layout" : "docker");
      expect(archive.images.map(({ names }) => names)).toEqual([[name]]);
      const memory = new MemoryTarget();
      const root = await copy(archive, name, memory);
      const manifest = JSON.parse(new TextDecoder().decode(await drain(memory.fetch(root))));
      expect(manifest.layers).toHaveLength(3);
      const config = JSON.parse(
        new TextDecoder().decode(await drain(memory.fetch(manifest.config))),
      );
      // Docker archives hold layers unpacked, by the digests that the config names.
      if (transport === "oci-archive") expect(root.digest).toBe(image.root.digest);
      else
        expect(manifest.layers.map((one: { digest: string }) => one.digest)).toEqual(
          config.rootfs.diff_ids,
        );
    },
  );
});
