import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { pushSampleImage } from "@box/sample-image";
import { afterEach, beforeEach, expect, test } from "vitest";
import { foundTool, runTool } from "./found-tool.ts";

const registry = foundTool("docker-registry", "registry");
const skopeo = foundTool("skopeo");
const configuration = "{version: 0.1, storage: {inmemory: {}}, http: {addr: '127.0.0.1:0'}}";

let folder = "";
let started: ChildProcess | undefined;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "box-sample-"));
});
afterEach(async () => {
  if (started?.exitCode === null && started.kill()) await once(started, "exit");
  await rm(folder, { recursive: true, force: true });
});

test.skipIf(registry === undefined)(
  "the CNCF registry takes the image and serves its index",
  async () => {
    const origin = await startRegistry(registry ?? "");
    const { index } = await pushSampleImage(origin, "sample/hello", "latest");
    const served = await fetch(`${origin}/v2/sample/hello/manifests/latest`, {
      headers: { accept: index.mediaType },
    });
    expect(served.headers.get("docker-content-digest")).toBe(index.digest);
    expect((await served.arrayBuffer()).byteLength).toBe(index.size);
  },
);

test.skipIf(registry === undefined || skopeo === undefined)(
  "skopeo copies both platforms from the registry, every layer verified",
  async () => {
    const origin = await startRegistry(registry ?? "");
    const { index } = await pushSampleImage(origin, "sample/hello", "latest");
    const { host } = new URL(origin);
    const source = `docker://${host}/sample/hello@${index.digest}`;
    const options = ["copy", "--all", "--src-tls-verify=false", "--preserve-digests"];
    const { status, stderr } = runTool(skopeo ?? "", [...options, source, `dir:${folder}/copied`]);
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
  },
);

/** Starts the registry on a free port of loopback and waits until it says which. */
async function startRegistry(command: string): Promise<string> {
  const path = join(folder, "registry.yml");
  await writeFile(path, configuration);
  started = spawn(command, ["serve", path], { stdio: ["ignore", "ignore", "pipe"] });
  if (started.stderr === null) throw new Error("the registry has no standard error");
  const lines: string[] = [];
  for await (const line of createInterface(started.stderr)) {
    const address = /listening on (127\.0\.0\.1:\d+)/.exec(line)?.[1];
    if (address !== undefined) return `http://${address}`;
    lines.push(line);
  }
  throw new Error(`the registry did not start:\n${lines.join("\n")}`);
}
