import { generateKeyPairSync } from "node:crypto";
import { readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { serveRegistry } from "@box/oras/registry-server";
import { expect, test } from "vitest";
import { output as exportOutput } from "../../src/commands/export/schemas.ts";
import { output as pullOutput } from "../../src/commands/pull/schemas.ts";
import { output as pushOutput } from "../../src/commands/push/schemas.ts";
import { output as rmiOutput } from "../../src/commands/rmi/schemas.ts";
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

test("an image is pulled, tagged, pushed, removed and pulled again, with the progress of each layer", async () => {
  const { box, json, image } = await home();
  await using registry = await serveRegistry();
  const name = `${registry.host}/team/app:v1`;
  const pulled = await json("pull", image);
  expect(pullOutput.parse(pulled)).toEqual(pulled);
  expect((await box(["tag", image, name])).stdout).toBe(`${name}\n`);
  const push = await box(["push", name, "--progress", "json", "--format", "json"]);
  const pushed = JSON.parse(push.stdout);
  expect(pushOutput.parse(pushed)).toEqual({ reference: name, digest: pulled[0].digest });
  const items = push.stderr
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line))
    .filter(({ type }) => type === "progress");
  expect(new Set(items.map(({ item }) => item)).size).toBeGreaterThanOrEqual(pulled[0].layers + 2);
  expect(items.every(({ task }) => task === "push")).toBe(true);
  expect((await box(["images", "-q"])).stdout.trim().split("\n")).toHaveLength(2);
  const removed = await json("rmi", name, image);
  expect(rmiOutput.parse(removed)).toEqual(removed);
  expect(removed).toMatchObject({ removed: [name, image], failed: [], exitCode: 0 });
  expect(removed.freedBytes).toBeGreaterThan(1000);
  expect((await box(["images", "-q"])).stdout).toBe("");
  expect((await box(["pull", name, "-q"])).stdout).toBe(`${pulled[0].digest}\n`);
  expect((await box(["push", name, "-q"])).stdout).toBe(`${pulled[0].digest}\n`);
  expect((await box(["push", name])).stdout).toContain(name);
});

test("limits of images, of layers and of registries are those of the command line", async () => {
  const { box, image } = await home();
  const first = ["create", image, "--name", "a"];
  const codeOf = async (...argv: string[]) =>
    /^error\[(\w+)\]/m.exec((await box(argv)).stderr)?.[1];
  expect(await codeOf("pull", image, "--limit", "layers=1")).toBe("OCI_TOO_MANY_LAYERS");
  expect(await codeOf("pull", image, "--limit", "index-size=10")).toBe("OCI_TOO_LARGE");
  expect(await codeOf(...first, "--limit", "layer-size=1000")).toBe("OCI_LAYER_TOO_LARGE");
  expect(await codeOf("pull", image)).toBeUndefined();
  await using registry = await serveRegistry();
  const name = `${registry.host}/team/app:v1`;
  expect((await box(["push", image, name])).exitCode).toBe(0);
  const list = ["artifact", "ls", `${registry.host}/team/app`];
  expect(await codeOf(...list, "--limit", "page-size=5")).toBe("OCI_TOO_LARGE");
  expect(await codeOf("pull", name, "--limit", "manifest-size=100")).toBe("OCI_TOO_LARGE");
  const less = ["--limit", "layers=4", "--limit", "layers=100"];
  expect(await codeOf("pull", name, ...less)).toBeUndefined();
});

test("what a box is made from stays when its image is removed", async () => {
  const { box, json, image } = await home();
  const [{ digest }] = await json("pull", image);
  expect((await box(["create", image, "--name", "web"])).exitCode).toBe(0);
  const { stdout } = await box(["rmi", image]);
  expect(stdout).toMatch(/^oci:.*\nfreed \d+ B\n$/);
  expect((await box(["export", digest, "-o", "kept.tar"])).exitCode).toBe(0);
  expect((await box(["rmi", image, "-f"])).exitCode).toBe(0);
  const again = await box(["rmi", image]);
  expect(again).toMatchObject({ exitCode: 3, stdout: "" });
  expect(again.stderr).toContain("error[OCI_IMAGE_NOT_FOUND]");
});

test.each(["oci-archive", "docker-archive", "docker-archive-legacy"])(
  "an image is exported as %s and imported from the file and from stdin",
  async (format) => {
    const { box, json, image, folder } = await home();
    const name = "registry.test/app:v1";
    await box(["pull", image]);
    await box(["tag", image, name]);
    const exported = await json("export", name, "-o", "a.tar", "--archive-format", format);
    expect(exportOutput.parse(exported)).toEqual(exported);
    const file = join(folder, "a.tar");
    expect(exported).toEqual({ file, sizeBytes: (await stat(file)).size });
    const streamed = await box(["export", name, "-o", "-", "--archive-format", format]);
    expect(streamed.stdout).toBe("");
    expect(Buffer.compare(streamed.bytes as Uint8Array, await readFile(file))).toBe(0);
    expect((await box(["export", name, "-o", "b.tar", "-q"])).stdout).toBe(`${folder}/b.tar\n`);
    expect((await box(["export", name, "-o", "b.tar"])).stdout).toMatch(/b\.tar \(.*iB\)\n/);
    await box(["rmi", image, name]);
    const [first] = await json("import", "a.tar");
    expect(first.reference).toBe(name);
    const stdin = streamed.bytes as Uint8Array;
    const piped = await box(["import", "-", "--tag", "other:v2"], { stdin });
    expect(piped.stdout).toContain("docker.io/library/other:v2");
  },
);

test("an export by digest has no name, and an import of it asks for one", async () => {
  const { box, json, image } = await home();
  const [{ digest }] = await json("pull", image);
  for (const reference of [digest, image]) {
    await box(["export", reference, "-o", "a.tar"]);
    const refused = await box(["import", "a.tar"]);
    expect(refused).toMatchObject({ exitCode: 2, stdout: "" });
    expect(refused.stderr).toContain("--tag NAME");
  }
});

test("a layout's folder is imported under the names that it has", async () => {
  const { box, image, folder } = await home();
  await box(["pull", image]);
  await box(["push", image, `oci:${folder}/out:example.test/app:v1`]);
  expect((await box(["import", "out"])).stdout).toContain("example.test/app:v1");
  expect((await box(["import", "nothing"])).exitCode).toBe(3);
});

test.each([
  [["tag", "a:v1", "oci:dir:v1"], "not a name with a tag"],
  [["tag", "a:v1", `b@sha256:${"0".repeat(64)}`], "not a name with a tag"],
  [["export", "a:v1"], "say which file to write"],
  [["push", "a:v1", "oci-archive:x.tar"], "OCI_IMAGE_NOT_FOUND"],
  [["import", "x", "--platform", "a/b/c/d"], "OCI_INVALID_PLATFORM"],
])("box %j is refused", async (argv, message) => {
  const { box } = await home();
  const run = await box(argv);
  expect(run.exitCode).toBeGreaterThan(1);
  expect(run.stderr).toContain(message);
});

test("registries are reached through the mirror and with the certificate that the user's file names", async () => {
  const { box, folder, image } = await home();
  await using registry = await serveRegistry();
  await box(["pull", image]);
  await box(["push", image, `${registry.host}/hub/team/app:v1`]);
  const registries = join(folder, "registries.json");
  const env = { BOX_REGISTRIES: registries };
  const mirrors = [{ location: `${registry.host}/hub` }];
  const nowhere = { mirrors, tokenServers: ["auth.invalid:5001"] };
  await writeFile(registries, JSON.stringify({ hosts: { "nowhere.invalid": nowhere } }));
  const pulled = await box(["pull", "nowhere.invalid/team/app:v1"], { env });
  expect(pulled).toMatchObject({ exitCode: 0 });
  const wrong: Record<string, string> = {
    "it is not JSON": "{",
    "hosts.x": JSON.stringify({ hosts: { x: { mirror: [] } } }),
    "hosts.x.tokenServers": JSON.stringify({ hosts: { x: { tokenServers: "auth.invalid" } } }),
    "cannot read": JSON.stringify({ caFile: "none.pem" }),
  };
  for (const [message, text] of Object.entries(wrong)) {
    await writeFile(registries, text);
    const refused = await box(["pull", "nowhere.invalid/a:v1"], { env });
    expect(refused.exitCode).toBe(2);
    expect(refused.stderr).toContain(message);
  }
  const missing = await box(["images"], { env: { BOX_REGISTRIES: join(folder, "none.json") } });
  expect(missing.exitCode).toBe(0);
});

test("a verification key refuses what is not signed, and a file that is no key", async () => {
  const { box, folder, image } = await home();
  const { publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  await writeFile(join(folder, "key.pub"), publicKey.export({ type: "spki", format: "pem" }));
  const unsigned = await box(["pull", image, "--verify-key", "key.pub"]);
  expect(unsigned).toMatchObject({ exitCode: 9, stdout: "" });
  expect(unsigned.stderr).toContain("error[OCI_SIGNATURE_MISSING]");
  expect((await box(["images", "-q"])).stdout).toBe("");
  await writeFile(join(folder, "bad.pub"), "hello");
  const bad = await box(["pull", image, "--verify-key", "bad.pub"]);
  expect(bad.stderr).toContain("error[OCI_INVALID_KEY]");
  expect((await box(["pull", image, "--verify-key", "none"])).exitCode).toBe(2);
});
