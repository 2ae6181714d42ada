import { generateKeyPairSync, sign } from "node:crypto";
import { readdir, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import {
  bytesSource,
  type Descriptor,
  describe as describeContent,
  mediaTypes,
  OciLayout,
  pack,
} from "@box/oras";
import { serveRegistry } from "@box/oras/registry-server";
import { describe, expect, test } from "vitest";
import { output as verifyOutput } from "../../src/commands/verify/schemas.ts";
import { createTestHome } from "../support/boxed-home.ts";
import { type RunBoxOptions, runBoxHere } from "../support/run-box.ts";

async function home() {
  const made = await createTestHome();
  const box = (argv: readonly string[], options: RunBoxOptions = {}) =>
    runBoxHere(["--home", made.home, ...argv], { cwd: made.folder, ...options });
  const json = async (...argv: string[]) =>
    JSON.parse((await box([...argv, "--format", "json"])).stdout);
  return { ...made, box, json };
}

/** The path of the largest blob below a folder: a layer. */
async function largestBlob(folder: string): Promise<string> {
  const blobs = join(folder, "blobs", "sha256");
  let largest = { path: "", size: 0 };
  for (const name of await readdir(blobs)) {
    const path = join(blobs, name);
    const { size } = await stat(path);
    if (size > largest.size) largest = { path, size };
  }
  return largest.path;
}

describe("box verify", () => {
  test("finds a home sound, and one that does not exist, which it does not make", async () => {
    const { box, json, image, home: folder } = await home();
    expect((await box(["verify"])).stdout).toBe("sound\n");
    await expect(stat(folder)).rejects.toThrow("ENOENT");
    await box(["pull", image]);
    const run = await box(["verify", "--deep", "--progress", "json"]);
    expect(run).toMatchObject({ exitCode: 0, stdout: "sound\n" });
    expect(run.stderr).toContain('"task":"verify"');
    const verified = await json("verify", "--deep");
    expect(verifyOutput.parse(verified)).toEqual({ isSound: true, findings: [] });
  });

  test("finds a damaged layer, takes it away when told to, and the next pull heals it", async () => {
    const { box, image, home: folder } = await home();
    await box(["pull", image]);
    const path = await largestBlob(join(folder, "images"));
    const bytes = await readFile(path);
    bytes[100] = (bytes[100] ?? 0) ^ 1;
    await writeFile(path, bytes);
    const found = await box(["verify"]);
    expect(found.exitCode).toBe(5);
    expect(found.stdout).toMatch(/^sha256:.*OCI_DIGEST_MISMATCH.*\ndamaged\n$/);
    expect((await box(["verify", "-q"])).stdout).toMatch(/^sha256:[0-9a-f]{64}\n$/);
    const repaired = await box(["verify", "--repair"]);
    expect(repaired).toMatchObject({ exitCode: 5 });
    expect(repaired.stdout).toContain("taken away: pull the image again");
    expect((await box(["verify"])).stdout).toContain("OCI_IMAGE_INCOMPLETE");
    await box(["pull", image]);
    expect((await box(["verify", "--deep"])).exitCode).toBe(0);
  });
});

test("a damaged layer is not pushed, and the store is blamed, not the registry", async () => {
  const { box, image, home: folder } = await home();
  await using registry = await serveRegistry();
  await box(["pull", image]);
  const path = await largestBlob(join(folder, "images"));
  const bytes = await readFile(path);
  bytes[100] = (bytes[100] ?? 0) ^ 1;
  await writeFile(path, bytes);
  const pushed = await box(["push", image, `${registry.host}/app:v1`]);
  expect(pushed.exitCode).toBe(5);
  expect(pushed.stderr).toContain("error[OCI_DIGEST_MISMATCH]");
  expect(pushed.stderr).toContain(`in image layout ${join(folder, "images")} has`);
});

/** Changes the manifest of the layout's image: new bytes, a new digest, and indexes that name it. */
async function rewriteLayout(
  folder: string,
  change: (manifest: { layers: { mediaType: string }[] }) => void,
): Promise<void> {
  const layout = await OciLayout.open(folder);
  const put = async (value: object, old: Descriptor): Promise<Descriptor> => {
    const bytes = Buffer.from(JSON.stringify(value));
    const { digest, size } = describeContent(old.mediaType, bytes);
    await layout.push({ ...old, digest, size }, bytesSource(bytes));
    return { ...old, digest, size };
  };
  const rewrite = async (old: Descriptor): Promise<Descriptor> => {
    const value = JSON.parse(await readFile(layout.blobPath(old.digest), "utf8"));
    if (value.manifests === undefined) change(value);
    else value.manifests = await Promise.all(value.manifests.map(rewrite));
    return put(value, old);
  };
  const index = await layout.index();
  const manifests = await Promise.all(index.manifests.map(rewrite));
  await writeFile(join(folder, "index.json"), JSON.stringify({ ...index, manifests }));
}

test("a layer that is labelled wrongly is unpacked by what it is, with a warning", async () => {
  const { box, image, folder } = await home();
  await rewriteLayout(join(folder, "layout"), ({ layers }) => {
    for (const layer of layers) layer.mediaType = mediaTypes.ociLayerZstd;
  });
  const warning = /warning\[ROOTFS_LAYER_MISLABELLED\]: layer sha256:\w+ is gzip, .*says zstd/g;
  const built = await box(["rootfs", "build", image, "-o", "disk.ext4"]);
  expect(built.exitCode).toBe(0);
  const layers = built.stderr.match(warning)?.length ?? 0;
  expect(layers).toBeGreaterThan(1);
  const created = await box(["create", image, "--name", "web"]);
  expect(created.exitCode).toBe(0);
  expect(created.stderr.match(warning)).toHaveLength(layers);
});

test("a verification key takes an image that is signed with it, from a registry too", async () => {
  const { box, image, folder } = await home();
  const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  await writeFile(join(folder, "key.pub"), publicKey.export({ type: "spki", format: "pem" }));
  const layout = await OciLayout.open(join(folder, "layout"));
  const root = await layout.resolve("latest");
  const payload = Buffer.from(
    JSON.stringify({
      critical: {
        image: { "docker-manifest-digest": root.digest },
        type: "cosign container image signature",
      },
    }),
  );
  const signature = sign("sha256", payload, privateKey).toString("base64");
  const type = "application/vnd.dev.cosign.simplesigning.v1+json";
  const layer = describeContent(type, payload);
  await layout.push(layer, bytesSource(payload));
  const annotations = { "dev.cosignproject.cosign/signature": signature };
  const signed = await pack(layout, { artifactType: type, layers: [{ ...layer, annotations }] });
  await layout.tag(signed, `${root.digest.replace(":", "-")}.sig`);
  const pulled = await box(["pull", image, "--verify-key", "key.pub", "-q"]);
  expect(pulled).toMatchObject({ exitCode: 0, stderr: "" });
  expect(pulled.stdout).toMatch(/^sha256:[0-9a-f]{64}\n$/);

  await using registry = await serveRegistry();
  const name = `${registry.host}/team/app:v1`;
  await box(["push", image, name]);
  const unsigned = await box(["pull", name, "--verify-key", "key.pub"]);
  expect(unsigned.stderr).toContain("error[OCI_SIGNATURE_MISSING]");
});

test("an import and an export tell how far each layer is", async () => {
  const { box, json, image } = await home();
  const [{ layers }] = await json("pull", image);
  await box(["tag", image, "registry.test/app:v1"]);
  const itemsOf = (stderr: string, task: string): Set<string> => {
    const events = stderr
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));
    const told = events.filter((event) => event.type === "progress" && event.task === task);
    for (const { done, total } of told) expect(done).toBeLessThanOrEqual(total);
    const ended = told.filter(({ done, total }) => done === total);
    return new Set(ended.map(({ item }) => item));
  };
  for (const format of ["oci-archive", "docker-archive", "docker-archive-legacy"]) {
    const words = [
      "export",
      "registry.test/app:v1",
      "--archive-format",
      format,
      "--progress",
      "json",
    ];
    const file = await box([...words, "-o", `${format}.tar`]);
    const stream = await box([...words, "-o", "-"]);
    expect(itemsOf(file.stderr, "export").size).toBeGreaterThanOrEqual(layers + 1);
    expect(itemsOf(stream.stderr, "export")).toEqual(itemsOf(file.stderr, "export"));
    const imported = await box(["import", `${format}.tar`, "--progress", "json"]);
    expect(itemsOf(imported.stderr, "import").size).toBeGreaterThanOrEqual(layers + 1);
  }
});
