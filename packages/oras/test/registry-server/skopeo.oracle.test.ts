import { join } from "node:path";
import { copy, OciLayout, RemoteRepository } from "@box/oras";
import { serveRegistry } from "@box/oras/registry-server";
import { describe, expect, onTestFinished, test } from "vitest";
import { hasTool, run } from "../oracle-tools.ts";
import { sampleImage } from "../sample-image.ts";
import { temporaryFolder } from "../temporary-folder.ts";
import { testClient } from "../test-client.ts";

const hasSkopeo = hasTool("skopeo");

describe.skipIf(!hasSkopeo)("skopeo", () => {
  test("copies an image of ours into the registry and out again, with the same digest", async () => {
    const folder = await temporaryFolder();
    const served = await serveRegistry();
    onTestFinished(() => served.close());
    const image = await sampleImage([10_240, 3_000_000]);
    const layout = await OciLayout.ensure(join(folder, "ours"));
    await copy(image.target, "v1", layout);
    const remote = `docker://${served.host}/team/app:v1`;
    await run("skopeo", [
      "--insecure-policy",
      "copy",
      "--dest-tls-verify=false",
      `oci:${layout.directory}:v1`,
      remote,
    ]);
    await run("skopeo", [
      "--insecure-policy",
      "copy",
      "--src-tls-verify=false",
      remote,
      `oci:${folder}/back:v2`,
    ]);
    const back = await OciLayout.open(join(folder, "back"));
    expect((await back.resolve("v2")).digest).toBe(image.root.digest);
    const repository = new RemoteRepository(testClient(), served.host, "team/app");
    const pulled = await OciLayout.ensure(join(folder, "pulled"));
    expect(await copy(repository, "v1", pulled)).toEqual(image.root);
  });
});
