import { spawnSync } from "node:child_process";
import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { assembleBootstrapImage, guestArchitectures } from "@box/guest";
import { afterEach, beforeEach, describe, expect, test } from "vitest";

const isInstalled = (tool: string): boolean => {
  const { error } = spawnSync(tool, ["--version"]);
  if (error !== undefined) process.stderr.write(`skipped: ${tool} is not installed\n`);
  return error === undefined;
};
const hasSkopeo = isInstalled("skopeo");
const hasUmoci = isInstalled("umoci");

let folder = "";
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "box-guest-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

describe.each(guestArchitectures)("the bootstrap image for %s", (architecture) => {
  test.skipIf(!hasSkopeo)("is an image that skopeo reads, every blob verified", async () => {
    const image = assembleBootstrapImage({ architecture });
    const source = await writeLayout(image);
    const options = [`--override-arch=${architecture}`, "--override-os=linux"];
    run("skopeo", [...options, "copy", source, `dir:${join(folder, "copied")}`]);
    const inspected = JSON.parse(run("skopeo", [...options, "inspect", source])) as unknown;
    expect(inspected).toMatchObject({
      Digest: image.manifest.digest,
      Architecture: architecture,
      Os: "linux",
      Layers: [expect.stringMatching(/^sha256:[0-9a-f]{64}$/)],
    });
  });

  test.skipIf(!hasUmoci)("unpacks to a system tree with its permissions", async () => {
    const source = await writeLayout(assembleBootstrapImage({ architecture }));
    const bundle = join(folder, "bundle");
    run("umoci", ["unpack", "--rootless", "--image", source.replace("oci:", ""), bundle]);
    const modes = ["box", "dev", "etc", "proc", "root", "run", "sys", "tmp"].map(async (name) => {
      const { mode } = await stat(join(bundle, "rootfs", name));
      return [name, (mode & 0o7777).toString(8)];
    });
    expect(Object.fromEntries(await Promise.all(modes))).toEqual({
      box: "755",
      dev: "755",
      etc: "755",
      proc: "555",
      root: "700",
      run: "755",
      sys: "555",
      tmp: "1777",
    });
    expect(await readFile(join(bundle, "rootfs", "etc", "hostname"), "utf8")).toBe("box\n");
  });
});

async function writeLayout({
  manifest,
  blobs,
}: ReturnType<typeof assembleBootstrapImage>): Promise<string> {
  const layout = join(folder, "layout");
  const blobFolder = join(layout, "blobs", "sha256");
  await mkdir(blobFolder, { recursive: true });
  for (const [digest, bytes] of blobs) {
    await writeFile(join(blobFolder, digest.replace("sha256:", "")), bytes);
  }
  const annotations = { "org.opencontainers.image.ref.name": "guest" };
  const index = { schemaVersion: 2, manifests: [{ ...manifest, annotations }] };
  await writeFile(join(layout, "index.json"), JSON.stringify(index));
  await writeFile(join(layout, "oci-layout"), JSON.stringify({ imageLayoutVersion: "1.0.0" }));
  return `oci:${layout}:guest`;
}

function run(command: string, args: readonly string[]): string {
  const { status, stdout, stderr } = spawnSync(command, args, {
    encoding: "utf8",
    timeout: 30_000,
  });
  expect({ command, status, stderr: status === 0 ? "" : stderr }).toEqual({
    command,
    status: 0,
    stderr: "",
  });
  return stdout;
}
