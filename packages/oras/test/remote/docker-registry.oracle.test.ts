import { type ChildProcess, spawn } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import {
  attach,
  bytesSource,
  copy,
  describe as describeContent,
  MemoryTarget,
  RemoteRepository,
} from "@box/oras";
import { describe, expect, onTestFinished, test } from "vitest";
import { collect } from "../collect.ts";
import { drain } from "../drain.ts";
import { expectCode } from "../expect-code.ts";
import { hasTool, run } from "../oracle-tools.ts";
import { noise, sampleImage } from "../sample-image.ts";
import { temporaryFolder } from "../temporary-folder.ts";
import { testClient } from "../test-client.ts";

const program = "docker-registry";
const hasRegistry = hasTool(program);

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  const address = server.address();
  await new Promise((done) => server.close(done));
  return typeof address === "object" && address !== null ? address.port : 0;
}

/** Starts Debian's registry and waits until it answers. */
async function dockerRegistry(auth: unknown = undefined): Promise<string> {
  const folder = await temporaryFolder();
  const host = `127.0.0.1:${await freePort()}`;
  const config = {
    version: 0.1,
    log: { level: "error" },
    storage: { filesystem: { rootdirectory: join(folder, "data") }, delete: { enabled: true } },
    http: { addr: host },
    ...(auth === undefined ? {} : { auth }),
  };
  const path = join(folder, "config.yml");
  await writeFile(path, JSON.stringify(config));
  const child: ChildProcess = spawn(program, ["serve", path], { stdio: "ignore" });
  onTestFinished(() => {
    child.kill("SIGKILL");
  });
  for (let attempt = 0; attempt < 200; attempt++) {
    const isUp = await fetch(`http://${host}/v2/`).then(
      () => true,
      () => false,
    );
    if (isUp) return host;
    await new Promise((done) => setTimeout(done, 25));
  }
  throw new Error("docker-registry did not start");
}

describe.skipIf(!hasRegistry)("Debian's docker-registry", () => {
  test("takes and gives images, chunks, mounts, tags and fallback lists", async () => {
    const host = await dockerRegistry();
    const client = testClient();
    const repository = new RemoteRepository(client, host, "team/app");
    const image = await sampleImage([10_240, 500_000]);
    await copy(image.target, "v1", repository);
    const back = new MemoryTarget();
    expect(await copy(repository, "v1", back)).toEqual(image.root);
    const content = noise(1_000_000);
    const blob = describeContent("application/octet-stream", content);
    await repository.push(blob, bytesSource(content), { chunkBytes: 300_000 });
    expect(Buffer.compare(await drain(repository.fetch(blob)), content)).toBe(0);
    expect(await drain(repository.fetch(blob, { offset: 999_990 }))).toEqual(
      content.slice(999_990),
    );
    const other = new RemoteRepository(client, host, "team/other");
    await other.push(blob, bytesSource(content), { mountFrom: "team/app" });
    expect(await other.exists(blob)).toBe(true);
    const sbom = await attach(repository, image.root, { artifactType: "application/x" });
    expect(await collect(repository.referrers(image.root))).toEqual([sbom]);
    await repository.delete(sbom);
    expect(await collect(repository.referrers(image.root))).toEqual([]);
    expect(await collect(repository.tags())).toContain("v1");
    if (hasTool("skopeo")) {
      const raw = await run("skopeo", [
        "inspect",
        "--raw",
        "--tls-verify=false",
        `docker://${host}/team/app:v1`,
      ]);
      expect(raw).toBe(new TextDecoder().decode(image.manifestBytes));
    }
  });

  test("with htpasswd lets in who knows the password", async () => {
    const folder = await temporaryFolder();
    const path = join(folder, "htpasswd");
    // The bcrypt hash of "s3cret", made by crypt(3).
    await writeFile(path, "ann:$2y$05$abcdefghijklmnopqrstuuLK7U1u6pVRmL7L1BBM2aS35PSZnDXlK\n");
    const host = await dockerRegistry({ htpasswd: { realm: "test", path } });
    const nobody = new RemoteRepository(testClient(), host, "app");
    await expectCode(nobody.resolve("v1"), "ORAS_AUTH_REQUIRED");
    const wrong = testClient({
      credentials: async () => ({ type: "password", username: "ann", password: "wrong" }),
    });
    await expectCode(new RemoteRepository(wrong, host, "app").resolve("v1"), "ORAS_AUTH_DENIED");
    const right = testClient({
      credentials: async () => ({ type: "password", username: "ann", password: "s3cret" }),
    });
    const { target, root } = await sampleImage();
    await copy(target, "v1", new RemoteRepository(right, host, "app"));
    expect(await new RemoteRepository(right, host, "app").resolve("v1")).toEqual(root);
  });
});
