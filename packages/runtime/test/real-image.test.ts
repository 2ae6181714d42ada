import { readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { serveRegistry } from "@box/oras/registry-server";
import { type BoxEvent, Runtime } from "@box/runtime";
import { pushSampleImage, sampleEnv, writeSampleLayout } from "@box/sample-image";
import { describe, expect, onTestFinished, test } from "vitest";
import { factsOf } from "./disk-facts.ts";
import { temporaryFolder } from "./test-home.ts";

async function open(home: string, options = {}): Promise<Runtime> {
  const runtime = await Runtime.open({ home, ...options });
  onTestFinished(() => runtime.close());
  return runtime;
}

async function layoutReference(): Promise<{ reference: string; folder: string }> {
  const folder = join(await temporaryFolder(), "layout");
  await writeSampleLayout(folder, "v1");
  return { reference: `oci:${folder}:v1`, folder };
}

describe("a real image", () => {
  test("from a registry becomes two disks, which later runs keep without the registry", async () => {
    const home = join(await temporaryFolder(), "home");
    const runtime = await open(home);
    const registry = await serveRegistry();
    onTestFinished(() => registry.close());
    await pushSampleImage(registry.origin, "sample/hello", "v1");
    const events: BoxEvent[] = [];
    const { box, container, guest } = await runtime.boxes.create({
      image: `${registry.host}/sample/hello:v1`,
      name: "hello",
      onEvent: (event) => events.push(event),
    });
    expect(box.image).toEqual({
      reference: `${registry.host}/sample/hello:v1`,
      digest: expect.stringMatching(/^sha256:[0-9a-f]{64}$/),
    });
    const environment = sampleEnv.flatMap((entry) => {
      const split = entry.indexOf("=");
      return split < 0 ? [] : [[entry.slice(0, split), entry.slice(split + 1)]];
    });
    expect(container.config.environment).toEqual(environment);
    expect(guest).toMatchObject({ type: "disk", environment: expect.arrayContaining([]) });
    const bytes = events.filter((event) => event.type === "progress" && event.unit === "bytes");
    expect(bytes.length).toBeGreaterThan(0);
    await registry.close();
    const before = [
      await factsOf(box.disks.user?.path ?? ""),
      await factsOf(box.disks.guest?.path ?? ""),
    ];
    const again = await runtime.boxes.prepare("hello");
    expect([again.container.disk.outcome, again.guest]).toMatchObject([
      "kept",
      { disk: { outcome: "kept" } },
    ]);
    expect([
      await factsOf(box.disks.user?.path ?? ""),
      await factsOf(box.disks.guest?.path ?? ""),
    ]).toEqual(before);
  });

  test("gives the same bases in another home", async () => {
    const { reference } = await layoutReference();
    const bases: unknown[] = [];
    for (const name of ["a", "b"]) {
      const runtime = await open(join(await temporaryFolder(), name));
      const { box } = await runtime.boxes.create({ image: reference, name: "web" });
      bases.push(
        [box.disks.user, box.disks.guest].map((disk) => [disk?.base?.key, disk?.base?.digest]),
      );
    }
    expect(bases[0]).toEqual(bases[1]);
  });

  test("can be the guest's system", async () => {
    const { reference } = await layoutReference();
    const runtime = await open(join(await temporaryFolder(), "home"));
    const guestRootfs = { type: "disk", reference } as const;
    const { box } = await runtime.boxes.create({ image: reference, name: "web", guestRootfs });
    expect(box.guestRootfs).toMatchObject({ type: "disk", reference });
    expect(box.disks.guest?.base?.key).toBe(box.disks.user?.base?.key);
  });

  test("whose user disk and base are lost is taken from the store by its digest", async () => {
    const { reference, folder } = await layoutReference();
    const runtime = await open(join(await temporaryFolder(), "home"));
    const { box } = await runtime.boxes.create({ image: reference, name: "web" });
    await rm(folder, { recursive: true });
    await rm(box.disks.user?.path ?? "");
    await rm(box.disks.user?.base?.path ?? "");
    const { container } = await runtime.boxes.prepare("web", { recreateDisk: true });
    expect(container.disk.outcome).toBe("created");
    const { disks } = await runtime.boxes.inspect("web");
    expect(disks.user?.base).toEqual(box.disks.user?.base);
  });
});

describe("bad images leave nothing half-made:", () => {
  async function expectNothing(runtime: Runtime) {
    expect(await runtime.boxes.list()).toEqual([]);
  }

  test.each([
    ["oci:/nowhere/at/all:v1", "OCI_LAYOUT_MISSING"],
    ["Not A Reference", "OCI_INVALID_REFERENCE"],
  ])("%s", async (image, code) => {
    const runtime = await open(join(await temporaryFolder(), "home"));
    await expect(runtime.boxes.create({ image, name: "web" })).rejects.toMatchObject({ code });
    await expectNothing(runtime);
  });

  test("a tag that is not in the layout", async () => {
    const { folder } = await layoutReference();
    const runtime = await open(join(await temporaryFolder(), "home"));
    await expect(
      runtime.boxes.create({ image: `oci:${folder}:v2`, name: "web" }),
    ).rejects.toMatchObject({ kind: "not-found" });
    await expectNothing(runtime);
  });

  test("a layer whose bytes are others than its digest says", async () => {
    const { reference, folder } = await layoutReference();
    const { blobs, manifests, index } = await writeSampleLayout(
      join(await temporaryFolder(), "copy"),
      "v1",
    );
    const known = new Set([...manifests, index].map(({ digest }) => digest));
    const [digest = ""] = [...blobs].filter(([name]) => !known.has(name)).map(([name]) => name);
    const path = join(folder, "blobs", "sha256", digest.replace("sha256:", ""));
    const bytes = await readFile(path);
    bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) ^ 1;
    await writeFile(path, bytes);
    const runtime = await open(join(await temporaryFolder(), "home"));
    await expect(runtime.boxes.create({ image: reference, name: "web" })).rejects.toMatchObject({
      code: "OCI_DIGEST_MISMATCH",
      kind: "corrupt",
    });
    await expectNothing(runtime);
  });

  test("a registry that is not there", async () => {
    const registry = await serveRegistry();
    await registry.close();
    const runtime = await open(join(await temporaryFolder(), "home"));
    await expect(
      runtime.boxes.create({
        image: `${registry.host}/sample/hello:v1`,
        name: "web",
        guestRootfs: { type: "initramfs" },
      }),
    ).rejects.toMatchObject({ kind: "network" });
    await expectNothing(runtime);
  }, 60_000);

  test("a policy that forbids to ask for an image that is not there", async () => {
    const runtime = await open(join(await temporaryFolder(), "home"));
    await expect(
      runtime.boxes.create({ image: "127.0.0.1:1/a:b", name: "web", pull: "never" }),
    ).rejects.toMatchObject({ code: "OCI_IMAGE_NOT_FOUND" });
    await expectNothing(runtime);
  });

  test("a CPU for which there is no guest system, unless no guest disk is wanted", async () => {
    const { reference } = await layoutReference();
    const platform = { os: "linux", architecture: "riscv64" };
    const runtime = await open(join(await temporaryFolder(), "home"), { platform });
    await expect(runtime.boxes.create({ image: reference, name: "web" })).rejects.toMatchObject({
      kind: expect.stringMatching(/unsupported|not-found/),
    });
    await expectNothing(runtime);
  });
});
