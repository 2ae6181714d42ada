import { join } from "node:path";
import { ImageStore } from "@box/oci-images";
import { copy, type Descriptor, MemoryTarget, OciLayout } from "@box/oras";
import { describe, expect, test } from "vitest";
import { expectCode } from "../expect-code.ts";
import { addImage, addIndex, noise } from "../sample-image.ts";
import { temporaryFolder } from "../temporary-folder.ts";

const amd64 = { os: "linux", architecture: "amd64" };
const arm64 = { os: "linux", architecture: "arm64" };

describe("an index whose entries name no platform", () => {
  test("is pulled for one platform after the other, by what the configs say", async () => {
    const target = new MemoryTarget();
    const arm = await addImage(target, { platform: arm64, tars: [noise(5, 1)] });
    const inner = await addIndex(target, [await addImage(target, { tars: [noise(5, 2)] })]);
    await target.tag(await addIndex(target, [arm, inner]), "v1");
    const folder = await temporaryFolder();
    const layout = await OciLayout.ensure(join(folder, "layout"));
    await copy(target, "v1", layout);
    const store = await ImageStore.open(join(folder, "store"), { platform: amd64 });
    const reference = `oci:${layout.directory}:v1`;
    const digestFor = async (platform: typeof amd64): Promise<Descriptor["digest"]> =>
      (await store.pull(reference, { platform })).digest;
    const digest = await digestFor(amd64);
    expect((await store.get(reference)).digest).toBe(digest);
    await expectCode(store.get(reference, { platform: arm64 }), "OCI_NO_PLATFORM_MATCH");
    expect(await digestFor(arm64)).toBe(arm.digest);
    expect(await digestFor(amd64)).toBe(digest);
  });
});
