import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { copy, MemoryTarget, OciLayout, RemoteRepository } from "@box/oras";
import { FolderRegistryStorage, serveRegistry } from "@box/oras/registry-server";
import { hasTool, run, selfSigned } from "@box/test-support";
import { describe, expect, onTestFinished, test } from "vitest";
import { expectCode } from "../expect-code.ts";
import { sampleImage } from "../sample-image.ts";
import { temporaryFolder } from "../temporary-folder.ts";
import { testClient } from "../test-client.ts";

const hasSkopeo = hasTool("skopeo");
const annsPassword = { type: "password", username: "ann", password: "s3cret" } as const;

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

  test.each(["basic", "token"] as const)(
    "logs in with %s authorization over TLS, pushes, lists, deletes and pulls from a folder",
    async (scheme) => {
      const folder = await temporaryFolder();
      const tls = selfSigned();
      const storage = await FolderRegistryStorage.open(join(folder, "registry"), Date.now());
      const auth = { scheme, users: { ann: "s3cret" } };
      const served = await serveRegistry({ storage, auth, tls });
      onTestFinished(() => served.close());
      const certs = join(folder, "certs");
      await mkdir(certs);
      await writeFile(join(certs, "ca.crt"), tls.cert);
      const image = await sampleImage([10_240, 3_000_000]);
      const layout = await OciLayout.ensure(join(folder, "ours"));
      await copy(image.target, "v1", layout);
      const remote = `docker://${served.host}/team/app:v1`;
      const from = `oci:${layout.directory}:v1`;
      const push = ["--insecure-policy", "copy", `--dest-cert-dir=${certs}`];
      await expect(run("skopeo", [...push, from, remote])).rejects.toThrow(/denied|auth/i);
      const wrong = run("skopeo", [...push, "--dest-creds=ann:wrong", from, remote]);
      await expect(wrong).rejects.toThrow(/invalid|unauthorized/i);
      await run("skopeo", [...push, "--dest-creds=ann:s3cret", from, remote]);
      const login = [`--cert-dir=${certs}`, "--creds=ann:s3cret"];
      const tags = JSON.parse(await run("skopeo", ["list-tags", ...login, remote.slice(0, -3)]));
      expect(tags.Tags).toEqual(["v1"]);
      const known = { credentials: async () => annsPassword };
      const hosts = { [served.host]: { scheme: "https" as const, ca: tls.cert } };
      const repository = new RemoteRepository(
        testClient({ ...known, hosts }),
        served.host,
        "team/app",
      );
      expect(await copy(repository, "v1", new MemoryTarget())).toEqual(image.root);
      await run("skopeo", ["delete", ...login, remote]);
      await expectCode(repository.resolve("v1"), "OCI_NOT_FOUND");
    },
  );
});
