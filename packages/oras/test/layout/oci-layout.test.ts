import { mkdir, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { nodeFileSystem, observeFileSystem } from "@box/io/node";
import {
  bytesSource,
  copy,
  copyGraph,
  type Descriptor,
  describe as describeContent,
  MemoryTarget,
  mediaTypes,
  OciLayout,
} from "@box/oras";
import { drain } from "@box/test-support";
import { describe, expect, test } from "vitest";
import { expectCode } from "../expect-code.ts";
import { noise, sampleImage } from "../sample-image.ts";
import { temporaryFolder } from "../temporary-folder.ts";

async function filledLayout(): Promise<{ layout: OciLayout; root: Descriptor; folder: string }> {
  const folder = join(await temporaryFolder(), "layout");
  const layout = await OciLayout.ensure(folder);
  const { target } = await sampleImage();
  const root = await copy(target, "v1", layout);
  return { layout, root, folder };
}

describe("an image layout", () => {
  test("keeps an image byte for byte and finds it by tag and digest", async () => {
    const { folder, root } = await filledLayout();
    const layout = await OciLayout.open(folder);
    expect(await layout.resolve("v1")).toMatchObject(root);
    expect(await layout.resolve(root.digest)).toMatchObject(root);
    expect(await layout.resolveOnly()).toMatchObject(root);
    const bytes = await drain(layout.fetch(root));
    expect(bytes).toEqual(new Uint8Array(await readFile(layout.blobPath(root.digest))));
    expect((await layout.index()).manifests).toHaveLength(1);
  });

  test("leaves nothing but blobs, index, marker and locks", async () => {
    const { folder } = await filledLayout();
    expect((await readdir(folder)).sort()).toEqual(["blobs", "index.json", "ingest", "oci-layout"]);
    const ingest = await readdir(join(folder, "ingest"));
    expect(ingest.filter((name) => !name.endsWith(".lock"))).toEqual(["leases"]);
    expect(await readdir(join(folder, "ingest/leases"))).toEqual([]);
  });

  test("finds a manifest that no entry names by its digest", async () => {
    const { layout, root } = await filledLayout();
    expect(await layout.untag("v1")).toBe(true);
    expect(await layout.untag("v1")).toBe(false);
    expect(await layout.resolve(root.digest)).toEqual(root);
    await expectCode(layout.resolve("v1"), "OCI_NOT_FOUND");
    await expectCode(layout.resolveOnly(), "OCI_NOT_FOUND");
    await expectCode(layout.resolve(`sha256:${"0".repeat(64)}`), "OCI_NOT_FOUND");
  });

  test("moves a tag to another image", async () => {
    const { layout } = await filledLayout();
    const other = await sampleImage([5120]);
    await copy(other.target, "v1", layout);
    expect(await layout.resolve("v1")).toMatchObject(other.root);
    expect((await layout.index()).manifests).toHaveLength(1);
  });

  test("never takes the first of several images", async () => {
    const { layout } = await filledLayout();
    const other = await sampleImage([5120]);
    await copy(other.target, "v1", layout, "v2");
    const error = await expectCode(layout.resolveOnly(), "OCI_AMBIGUOUS_REFERENCE");
    expect(error.hint).toBe("name one of v1, v2");
    const missing = await expectCode(layout.resolve("v3"), "OCI_NOT_FOUND");
    expect(missing.hint).toBe("it holds v1, v2");
  });

  test("refuses a name that two entries share", async () => {
    const { folder, layout, root } = await filledLayout();
    const entry = (digit: string) => ({
      ...root,
      digest: `sha256:${digit.repeat(64)}`,
      annotations: { "org.opencontainers.image.ref.name": "same" },
    });
    const index = { schemaVersion: 2, manifests: [entry("1"), entry("2")] };
    await writeFile(join(folder, "index.json"), JSON.stringify(index));
    await expectCode(layout.resolve("same"), "OCI_AMBIGUOUS_REFERENCE");
  });

  test("keeps what it does not know in index.json", async () => {
    const { folder, layout, root } = await filledLayout();
    const odd = { ...root, mediaType: "application/odd", extra: 1 };
    const index = { schemaVersion: 2, manifests: [odd], more: true };
    await writeFile(join(folder, "index.json"), JSON.stringify(index));
    await layout.tag(root, "v9");
    const written = JSON.parse(await readFile(join(folder, "index.json"), "utf8"));
    expect(written).toMatchObject({ more: true, manifests: [{ extra: 1 }, {}] });
  });

  test("is told apart from a folder that is none", async () => {
    const folder = await temporaryFolder();
    const error = await expectCode(OciLayout.open(folder), "OCI_LAYOUT_MISSING");
    expect(error.kind).toBe("not-found");
    await expectCode(OciLayout.open(join(folder, "nowhere")), "OCI_LAYOUT_MISSING");
  });

  test.each([
    ["OCI_LAYOUT_INVALID", "{"],
    ["OCI_LAYOUT_INVALID", "{}"],
    ["OCI_LAYOUT_INVALID", '{"imageLayoutVersion":1}'],
    ["OCI_LAYOUT_VERSION", '{"imageLayoutVersion":"2.0.0"}'],
    ["OCI_LAYOUT_VERSION", '{"imageLayoutVersion":"1"}'],
    ["OCI_TOO_LARGE", " ".repeat(5000)],
  ] as const)("is refused with %s when its marker is %j", async (code, marker) => {
    const { folder } = await filledLayout();
    await writeFile(join(folder, "oci-layout"), marker);
    await expectCode(OciLayout.open(folder), code);
    await expectCode(OciLayout.ensure(folder), code);
  });

  test.each(["{}", "[]", '{"schemaVersion":2,"manifests":[{}]}', "x"])(
    "is refused when its index is %j",
    async (text) => {
      const { folder, layout } = await filledLayout();
      await writeFile(join(folder, "index.json"), text);
      await expectCode(layout.resolve("v1"), "OCI_LAYOUT_INVALID");
    },
  );

  test("is empty when its index lists null, as programs in Go write it", async () => {
    const { folder, layout, root } = await filledLayout();
    await writeFile(join(folder, "index.json"), '{"schemaVersion":2,"manifests":null}');
    expect((await layout.index()).manifests).toEqual([]);
    await expectCode(layout.resolve("v1"), "OCI_NOT_FOUND");
    await layout.tag(root, "v2");
    expect((await layout.resolve("v2")).digest).toBe(root.digest);
  });

  test("without index.json is missing", async () => {
    const { folder, layout } = await filledLayout();
    await rm(join(folder, "index.json"));
    await expectCode(layout.resolve("v1"), "OCI_LAYOUT_MISSING");
  });

  test("finds damaged and cut blobs when they are read", async () => {
    const { layout, root } = await filledLayout();
    const path = layout.blobPath(root.digest);
    const bytes = await readFile(path);
    bytes[0] = 0x20;
    await writeFile(path, bytes);
    await expectCode(drain(layout.fetch(root)), "OCI_DIGEST_MISMATCH");
    await writeFile(path, bytes.subarray(1));
    await expectCode(drain(layout.fetch(root)), "OCI_SIZE_MISMATCH");
    expect(await layout.exists(root)).toBe(false);
    await rm(path);
    const lost = await expectCode(layout.fetch(root), "OCI_NOT_FOUND");
    expect(lost.hint).toBe("the layout is damaged or incomplete: copy the image into it again");
    await expectCode(layout.tag(root, "v2"), "OCI_NOT_FOUND");
  });

  test("lists its blobs and takes them away", async () => {
    const { layout, folder, root } = await filledLayout();
    await writeFile(join(folder, "blobs", "sha256", "stray"), "x");
    await mkdir(join(folder, "blobs", "sha256", "f".repeat(64)));
    const digests: string[] = [];
    for await (const found of layout.blobs()) digests.push(found.digest);
    expect(digests).toHaveLength(4);
    expect(digests).toContain(root.digest);
    expect(await layout.removeBlob(root.digest)).toBe(true);
    expect(await layout.removeBlob(root.digest)).toBe(false);
    expect(await layout.with({}).exclusively(async () => 7)).toBe(7);
    await rm(join(folder, "blobs", "sha256"), { recursive: true });
    await writeFile(join(folder, "blobs", "sha256"), "x");
    await expectCode(async () => {
      for await (const _found of layout.blobs());
    }, "IO_FAILED");
  });

  test("never turns an I/O error into corrupt or missing content", async () => {
    const { layout, root } = await filledLayout();
    const path = layout.blobPath(root.digest);
    await rm(path);
    await mkdir(path);
    expect((await expectCode(layout.fetch(root), "IO_FAILED")).kind).toBe("io");
    await expectCode(layout.exists(root), "IO_FAILED");
  });
});

describe("ingest", () => {
  const content = noise(300_000);
  const blob = describeContent(mediaTypes.ociLayer, content);
  const partial = `sha256-${blob.digest.slice(7)}`;

  async function emptyLayout(): Promise<OciLayout> {
    return OciLayout.ensure(join(await temporaryFolder(), "layout"));
  }

  test("goes on where an earlier attempt stopped", async () => {
    const layout = await emptyLayout();
    const broken = {
      open: async function* () {
        yield content.subarray(0, 150_000);
        throw new Error("the connection broke");
      },
    };
    await expect(layout.push(blob, { open: async () => broken.open() })).rejects.toThrow(
      "the connection broke",
    );
    expect(await layout.exists(blob)).toBe(false);
    const offsets: number[] = [];
    await layout.push(blob, {
      open: async (offset) => {
        offsets.push(offset);
        return bytesSource(content).open(offset);
      },
    });
    expect(offsets).toEqual([150_000]);
    expect(await drain(layout.fetch(blob))).toEqual(content);
  });

  test("starts over when what an earlier attempt left is damaged", async () => {
    const layout = await emptyLayout();
    const folder = join(layout.directory, "ingest");
    await mkdir(folder, { recursive: true });
    await writeFile(join(folder, partial), new Uint8Array(1000));
    const offsets: number[] = [];
    await layout.push(blob, {
      open: async (offset) => {
        offsets.push(offset);
        return bytesSource(content).open(offset);
      },
    });
    expect(offsets).toEqual([1000, 0]);
    expect(await drain(layout.fetch(blob))).toEqual(content);
  });

  test("drops what is longer than the blob and finishes what is complete", async () => {
    const layout = await emptyLayout();
    const folder = join(layout.directory, "ingest");
    await mkdir(folder, { recursive: true });
    await writeFile(join(folder, partial), new Uint8Array(content.byteLength + 1));
    await layout.push(blob, bytesSource(content));
    await rm(layout.blobPath(blob.digest));
    await writeFile(join(folder, partial), content);
    await layout.push(blob, {
      open: () => Promise.reject(new Error("nothing is left to read")),
    });
    expect(await drain(layout.fetch(blob))).toEqual(content);
  });

  test("fetches wrong content once more and then leaves nothing of it", async () => {
    const layout = await emptyLayout();
    const wrong = content.slice();
    wrong[299_999] = (wrong[299_999] as number) ^ 1;
    let opened = 0;
    const source = {
      open: async (offset: number) => {
        opened++;
        return bytesSource(wrong).open(offset);
      },
    };
    await expectCode(layout.push(blob, source), "OCI_DIGEST_MISMATCH");
    expect(opened).toBe(2);
    await expectCode(layout.push(blob, bytesSource(content.subarray(5))), "OCI_SIZE_MISMATCH");
    await expectCode(
      layout.push(blob, bytesSource(new Uint8Array(content.byteLength + 5))),
      "OCI_SIZE_MISMATCH",
    );
    const left = await readdir(join(layout.directory, "ingest"));
    expect(left.filter((name) => !name.endsWith(".lock"))).toEqual([]);
    expect(await layout.exists(blob)).toBe(false);
  });

  test("does not follow a link that stands in for the partial file", async () => {
    const layout = await emptyLayout();
    const folder = join(layout.directory, "ingest");
    await mkdir(folder, { recursive: true });
    const victim = join(layout.directory, "victim");
    await writeFile(victim, "precious");
    await symlink(victim, join(folder, partial));
    await expectCode(layout.push(blob, bytesSource(content)), "IO_FAILED");
    expect(await readFile(victim, "utf8")).toBe("precious");
  });

  test("brings a blob once when several ask for it at the same time", async () => {
    const layout = await emptyLayout();
    let opened = 0;
    const source = {
      open: async (offset: number) => {
        opened++;
        return bytesSource(content).open(offset);
      },
    };
    await Promise.all([1, 2, 3].map(() => layout.push(blob, source)));
    expect(opened).toBe(1);
  });

  test("takes a blob away when it is not what its digest says, and no other", async () => {
    const { layout, root } = await filledLayout();
    const path = layout.blobPath(root.digest);
    const whole = await readFile(path);
    expect(await layout.removeRotten(root.digest)).toBe(false);
    expect(await readFile(path)).toEqual(whole);
    for (const damaged of [
      whole.subarray(1),
      Buffer.from(whole).fill("x", 0, 1),
      Buffer.alloc(0),
    ]) {
      await rm(path, { force: true });
      await writeFile(path, damaged);
      expect(await layout.removeRotten(root.digest)).toBe(true);
      expect(await layout.removeRotten(root.digest)).toBe(false);
      expect(await layout.exists(root)).toBe(false);
    }
  });

  test("keeps a damaged blob that cannot be read", async () => {
    const { layout, folder, root } = await filledLayout();
    const path = layout.blobPath(root.digest);
    await rm(path);
    await writeFile(path, "damaged");
    const fs = observeFileSystem(nodeFileSystem, ({ kind, path: read }) => {
      if (kind !== "read" || read !== path) return;
      throw Object.assign(new Error("EIO: injected"), { code: "EIO" });
    });
    const failing = await OciLayout.open(folder, { fs });
    await expectCode(failing.removeRotten(root.digest), "IO_FAILED");
    expect(await readFile(path, "utf8")).toBe("damaged");
  });

  test("never takes away what another process has brought anew", async () => {
    const { layout, folder, root } = await filledLayout();
    const path = layout.blobPath(root.digest);
    const whole = await readFile(path);
    await writeFile(path, "damaged");
    const other = await OciLayout.open(folder);
    const [first, second] = await Promise.all([
      layout.removeRotten(root.digest).then(async (isGone) => {
        await layout.push(root, bytesSource(whole));
        return isGone;
      }),
      other.removeRotten(root.digest),
    ]);
    expect([first, second].filter(Boolean)).toHaveLength(1);
    await layout.push(root, bytesSource(whole));
    expect(await readFile(path)).toEqual(whole);
  });

  test("gives back the memory of chunks that are its own, and of no others", async () => {
    const layout = await emptyLayout();
    const bytes = noise(3000, 5);
    const descriptor = describeContent(mediaTypes.ociLayer, bytes);
    const ingest = async (ownsNoChunks?: boolean) => {
      // The last one is a part of a larger buffer.
      const chunks = [bytes.slice(0, 1000), bytes.slice(1000, 2000), bytes.slice().subarray(2000)];
      const open = async () =>
        (async function* () {
          yield* chunks;
        })();
      const source = { open, ...(ownsNoChunks === undefined ? {} : { ownsNoChunks }) };
      await layout.push(descriptor, source);
      expect(await drain(layout.fetch(descriptor))).toEqual(bytes);
      await layout.removeBlob(descriptor.digest);
      return chunks.map(({ buffer }) => buffer.byteLength);
    };
    expect(await ingest(true)).toEqual([0, 0, 3000]);
    expect(await ingest(false)).toEqual([1000, 1000, 3000]);
    expect(await ingest()).toEqual([1000, 1000, 3000]);
  });

  test("copies from memory without taking it", async () => {
    const source = new MemoryTarget();
    const bytes = noise(3000, 6);
    const descriptor = describeContent(mediaTypes.ociLayer, bytes);
    await source.push(descriptor, bytesSource(bytes));
    await copyGraph(source, descriptor, await emptyLayout());
    expect(await drain(source.fetch(descriptor))).toEqual(bytes);
  });

  test("stops between chunks and keeps what has arrived", async () => {
    const layout = await emptyLayout();
    const controller = new AbortController();
    const source = {
      open: async () =>
        (async function* () {
          yield content.subarray(0, 1000);
          controller.abort();
          yield content.subarray(1000);
        })(),
    };
    await expectCode(layout.push(blob, source, { signal: controller.signal }), "ORAS_ABORTED");
    expect((await readFile(join(layout.directory, "ingest", partial))).byteLength).toBe(1000);
  });

  test("keeps an empty blob", async () => {
    const layout = await emptyLayout();
    const empty = describeContent(mediaTypes.ociLayer, new Uint8Array(0));
    await layout.push(empty, bytesSource(new Uint8Array(0)));
    expect(await drain(layout.fetch(empty))).toEqual(new Uint8Array(0));
  });
});
