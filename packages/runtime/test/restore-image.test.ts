import { readdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { serveRegistry } from "@box/oras/registry-server";
import { Runtime } from "@box/runtime";
import { pushSampleImage } from "@box/sample-image";
import { expect, onTestFinished, test } from "vitest";
import { factsOf } from "./disk-facts.ts";
import { temporaryFolder } from "./test-home.ts";

/** A box whose image came from a registry, and whose base is lost. */
async function boxWithoutBase() {
  const home = join(await temporaryFolder(), "home");
  const registry = await serveRegistry();
  onTestFinished(() => registry.close());
  await pushSampleImage(registry.origin, "sample/hello", "v1");
  await using runtime = await Runtime.open({ home });
  const image = `${registry.host}/sample/hello:v1`;
  const { box } = await runtime.boxes.create({ image, name: "web" });
  const base = box.disks.user?.base?.path ?? "";
  const bytes = await readFile(base);
  await rm(base);
  return { home, registry, base, bytes, overlay: box.disks.user?.path ?? "" };
}

async function restoreIn(home: string) {
  await using runtime = await Runtime.open({ home });
  return await runtime.boxes.restore("web");
}

test("restore takes the image from the store when its registry is gone", async () => {
  const { home, registry, base, bytes } = await boxWithoutBase();
  await registry.close();
  expect((await restoreIn(home)).bases).toContainEqual(
    expect.objectContaining({ disk: "user", outcome: "restored" }),
  );
  expect((await readFile(base)).equals(bytes)).toBe(true);
});

test("restore fetches the image by its digest when the store has lost it", async () => {
  const { home, base, bytes } = await boxWithoutBase();
  await rm(join(home, "images"), { recursive: true });
  await restoreIn(home);
  expect((await readFile(base)).equals(bytes)).toBe(true);
});

test("restore says why when neither store nor registry has the image, and changes nothing", async () => {
  const { home, registry, base, overlay } = await boxWithoutBase();
  const before = await factsOf(overlay);
  const bases = await readdir(join(home, "bases"));
  await rm(join(home, "images"), { recursive: true });
  await registry.close();
  await expect(restoreIn(home)).rejects.toMatchObject({
    kind: "network",
    message: expect.stringContaining(registry.host),
  });
  await expect(readFile(base)).rejects.toThrow("ENOENT");
  expect(await readdir(join(home, "bases"))).toEqual(bases);
  expect(await factsOf(overlay)).toEqual(before);
}, 60_000);
