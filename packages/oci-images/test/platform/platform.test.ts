import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import {
  formatPlatform,
  type ImageLimits,
  parsePlatform,
  platformOfArch,
  rankPlatform,
} from "@box/oci-images";
import {
  bytesSource,
  describe as describeContent,
  digestOf,
  MemoryTarget,
  mediaTypes,
} from "@box/oras";
import { describe, expect, test } from "vitest";
import { readNode, selectManifest } from "../../src/platform/select.ts";
import { expectCode } from "../expect-code.ts";
import { add, addImage, addIndex, encodeJson } from "../sample-image.ts";

describe("platforms", () => {
  test.each([
    ["linux/amd64", "linux/amd64"],
    ["x86_64", "linux/amd64"],
    ["Linux/AArch64/v8", "linux/arm64"],
    ["linux/arm", "linux/arm/v7"],
    ["linux/armel", "linux/arm/v6"],
    ["linux/arm/7", "linux/arm/v7"],
    ["linux/amd64/v1", "linux/amd64"],
    ["linux/amd64/v3", "linux/amd64/v3"],
    ["macos/arm64", "darwin/arm64"],
    ["linux/riscv64", "linux/riscv64"],
  ])("%s is %s", (text, expected) => expect(formatPlatform(parsePlatform(text))).toBe(expected));

  test.each(["", "a/b/c/d", "linux/", "linux/a b", "../x"])("%j is refused", async (text) => {
    await expectCode(() => parsePlatform(text), "OCI_INVALID_PLATFORM");
  });

  test("of this machine follow Node's names", () => {
    expect(formatPlatform(platformOfArch("x64"))).toBe("linux/amd64");
    expect(formatPlatform(platformOfArch("arm64"))).toBe("linux/arm64");
  });

  test.each([
    ["linux/amd64", ["linux/amd64"], ["linux/amd64/v2", "linux/386", "windows/amd64"]],
    ["linux/amd64/v3", ["linux/amd64/v3", "linux/amd64/v2", "linux/amd64"], ["linux/amd64/v4"]],
    ["linux/arm/v7", ["linux/arm/v7", "linux/arm/v6", "linux/arm/v5"], ["linux/arm/v8"]],
    ["linux/arm64", ["linux/arm64/v8"], ["linux/arm64/v9", "linux/arm/v7"]],
    ["linux/arm64/v9", ["linux/arm64/v9", "linux/arm64"], []],
    ["linux/riscv64", ["linux/riscv64"], ["linux/amd64"]],
    ["linux/amd64/odd", ["linux/amd64/odd"], ["linux/amd64"]],
    ["linux/arm/odd", ["linux/arm/odd"], ["linux/arm/v7"]],
  ])("for %s are taken in containerd's order", (wanted, fits, misfits) => {
    const rank = (text: string) => rankPlatform(parsePlatform(wanted), parsePlatform(text));
    expect(fits.map(rank)).toEqual(fits.map((_, index) => index));
    expect(misfits.map(rank)).toEqual(misfits.map(() => undefined));
  });

  test("of 32 bits do for 64 only when allowed", () => {
    const allow = { allow32Bit: true };
    const fits = (wanted: string, offered: string, options = {}) =>
      rankPlatform(parsePlatform(wanted), parsePlatform(offered), options) !== undefined;
    expect(fits("linux/amd64", "linux/386")).toBe(false);
    expect(fits("linux/amd64", "linux/386", allow)).toBe(true);
    expect(fits("linux/arm64", "linux/arm/v6")).toBe(false);
    expect(fits("linux/arm64", "linux/arm/v6", allow)).toBe(true);
  });
});

describe("an index", () => {
  const wanted = { platform: parsePlatform("linux/arm/v7"), what: "the image" };

  async function chosen(
    target: MemoryTarget,
    root: Awaited<ReturnType<typeof addImage>>,
    limits: Partial<ImageLimits> = {},
  ) {
    const options = { ...wanted, limits };
    const path = await selectManifest(target, await readNode(target, root), options);
    return path.map((node) => node.descriptor.digest);
  }

  async function image(target: MemoryTarget, text: string, seed: number) {
    const platform = parsePlatform(text);
    return {
      ...(await addImage(target, { platform, tars: [new Uint8Array(seed)] })),
      platform,
    };
  }

  test("yields the first of the best, through indexes within it", async () => {
    const target = new MemoryTarget();
    const v5 = await image(target, "linux/arm/v5", 1);
    const v6 = await image(target, "linux/arm/v6", 2);
    const otherV6 = await image(target, "linux/arm/v6", 3);
    const amd64 = await image(target, "linux/amd64", 4);
    const inner = await addIndex(target, [v6, amd64]);
    const root = await addIndex(target, [v5, inner, otherV6]);
    expect(await chosen(target, root)).toEqual([root.digest, inner.digest, v6.digest]);
  });

  test("without platforms is judged by the configs", async () => {
    const target = new MemoryTarget();
    const arm = await addImage(target, { platform: parsePlatform("linux/arm/v7") });
    const amd64 = await addImage(target, { platform: parsePlatform("linux/amd64") });
    const odd = await addImage(target, {
      manifest: { config: { ...arm, mediaType: "text/plain" } },
    });
    const root = await addIndex(target, [odd, amd64, arm]);
    expect(await chosen(target, root)).toEqual([root.digest, arm.digest]);
  });

  test("says what it offers when nothing fits, without attestations", async () => {
    const target = new MemoryTarget();
    const amd64 = await image(target, "linux/amd64", 1);
    const attestation = {
      ...(await addImage(target)),
      platform: { os: "unknown", architecture: "unknown" },
    };
    const annotated = {
      ...(await addImage(target)),
      annotations: { "vnd.docker.reference.type": "attestation-manifest" },
    };
    const unknown = await add(target, "application/x", encodeJson({}));
    const windows = { ...(await addIndex(target, [])), platform: parsePlatform("windows/amd64") };
    const root = await addIndex(target, [amd64, attestation, annotated, unknown, windows]);
    const error = await expectCode(chosen(target, root), "OCI_NO_PLATFORM_MATCH");
    expect(error.details).toMatchObject({ wanted: "linux/arm/v7", available: ["linux/amd64"] });
    expect(error.message).toContain("it offers linux/amd64");
    const empty = await addIndex(target, []);
    const none = await expectCode(chosen(target, empty), "OCI_NO_PLATFORM_MATCH");
    expect(none.message).toContain("no image at all");
  });

  test("that is nested too deeply is refused", async () => {
    const target = new MemoryTarget();
    let root = await addIndex(target, [await image(target, "linux/arm/v7", 1)]);
    for (let depth = 1; depth < 8; depth++) root = await addIndex(target, [root]);
    expect(await chosen(target, root)).toHaveLength(9);
    root = await addIndex(target, [root]);
    await expectCode(chosen(target, root), "OCI_INDEX_TOO_DEEP");
    expect(await chosen(target, root, { maxIndexDepth: 9 })).toHaveLength(10);
    const error = await expectCode(
      chosen(target, root, { maxIndexDepth: 2 }),
      "OCI_INDEX_TOO_DEEP",
    );
    expect(error.message).toContain("deeper than 2 levels");
  });

  test("of large indexes that do not fit keeps none of them in memory", async () => {
    const target = new MemoryTarget();
    const size = 4 * 1024 * 1024;
    const amd64 = await image(target, "linux/amd64", 1);
    const contents = new Map<string, () => Buffer>();
    const inner = Array.from({ length: 24 }, (_, count) => {
      const make = (): Buffer => {
        const entry = { ...amd64, digest: digestOf(Buffer.from(String(count))) };
        const document = { schemaVersion: 2, mediaType: mediaTypes.ociIndex };
        const text = JSON.stringify({ ...document, manifests: [entry] });
        const bytes = Buffer.alloc(size, " ");
        bytes.write(text);
        return bytes;
      };
      const descriptor = describeContent(mediaTypes.ociIndex, make());
      contents.set(descriptor.digest, make);
      return descriptor;
    });
    const root = await addIndex(target, inner);
    setFlagsFromString("--expose-gc");
    const collect = runInNewContext("gc") as () => void;
    let mostBytes = 0;
    const own = target.fetch.bind(target);
    target.fetch = async (descriptor, options) => {
      collect();
      mostBytes = Math.max(mostBytes, process.memoryUsage().arrayBuffers);
      const make = contents.get(descriptor.digest);
      return make === undefined ? own(descriptor, options) : bytesSource(make()).open(0);
    };
    collect();
    const before = process.memoryUsage().arrayBuffers;
    await expectCode(chosen(target, root), "OCI_NO_PLATFORM_MATCH");
    expect(mostBytes - before).toBeLessThan(8 * size);
  });

  test("that lists an index many times reads it once", async () => {
    const target = new MemoryTarget();
    const arm = await image(target, "linux/arm/v7", 1);
    let root = await addIndex(target, [arm]);
    for (let depth = 1; depth < 8; depth++) root = await addIndex(target, Array(10).fill(root));
    expect(await chosen(target, root)).toHaveLength(9);
  });
});
