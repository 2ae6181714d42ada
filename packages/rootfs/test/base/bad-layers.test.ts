import { createHash } from "node:crypto";
import { readdirSync, readlinkSync } from "node:fs";
import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync, zstdCompressSync } from "node:zlib";
import type { ErrorKind } from "@box/errors";
import { ImageStore } from "@box/oci-images";
import { BaseCache, layersOfImage, mergeLayers } from "@box/rootfs";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import {
  archiveOf,
  bytes,
  directory,
  file,
  hardlink,
  special,
  symlink,
  type TestEntry,
} from "../merge/layers.ts";
import { writeOciLayout } from "../merge/oci-layout.ts";

let home: string;
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), "box-bad-"));
});
afterEach(() => rm(home, { recursive: true, force: true }));

/** Pulls an image of one layer and builds its base, as a box does. */
async function build(blob: Uint8Array, type: string, diffId?: string): Promise<readonly string[]> {
  const layout = join(home, "layout");
  await rm(layout, { recursive: true, force: true });
  await writeOciLayout(layout, [blob], `application/vnd.oci.image.layer.v1.${type}`, diffId);
  const store = await ImageStore.open(join(home, "images"));
  const image = await store.pull(`oci:${layout}:latest`, { policy: "always" });
  const { path } = await cache().ensure({
    layers: layersOfImage(store, image),
    options: { hasJournal: false },
  });
  return [path];
}

const cache = (): BaseCache =>
  new BaseCache({ directory: join(home, "bases"), locksDirectory: join(home, "locks") });

const sha256 = (data: Uint8Array): string =>
  `sha256:${createHash("sha256").update(data).digest("hex")}`;

const sound = archiveOf([directory("d"), file("d/f", "content"), file("last", "x".repeat(2000))]);

/** A header of an archive with one field changed, and its checksum made right. */
function patched(entry: TestEntry, at: number, text: string): Uint8Array {
  const archive = archiveOf([entry]).slice();
  archive.set(bytes(text), at);
  archive.fill(0x20, 148, 156);
  const sum = archive.subarray(0, 512).reduce((total, byte) => total + byte, 0);
  archive.set(bytes(`${sum.toString(8).padStart(6, "0")}\0 `), 148);
  return archive;
}

const xattr = (name: string, value: Uint8Array): TestEntry =>
  file("f", "", { xattrs: [{ name: bytes(name), value }] });

type Row = readonly [what: string, layer: Uint8Array | readonly TestEntry[], string, ErrorKind];

/** Layers whose digest and diffID are right: the archive itself is what is wrong. */
const wrongArchives: readonly Row[] = [
  ["that ends inside a file", sound.subarray(0, 3000), "TAR_TRUNCATED", "corrupt"],
  ["that ends inside a header", sound.subarray(0, 700), "TAR_TRUNCATED", "corrupt"],
  ["that is no archive", bytes("x".repeat(1024)), "TAR_BAD_CHECKSUM", "corrupt"],
  [
    "whose file says it is larger",
    patched(file("f", "abc"), 124, "77777777777"),
    "TAR_TRUNCATED",
    "corrupt",
  ],
  [
    "with an entry of no known type",
    patched(file("f"), 156, "?"),
    "TAR_UNSUPPORTED_TYPE",
    "unsupported",
  ],
  ["with a header of 2 MiB", [xattr("user.a", new Uint8Array(2 ** 21))], "TAR_OVER_LIMIT", "limit"],
  [
    "with 100 KiB of attributes",
    [xattr("user.a", new Uint8Array(100_000))],
    "TAR_OVER_LIMIT",
    "limit",
  ],
  ["with a path of 5,000 bytes", [file("p/".repeat(2500))], "TAR_OVER_LIMIT", "limit"],
  ["with a name of 256 bytes", [file("n".repeat(256))], "EXT4_NAME_TOO_LONG", "limit"],
  [
    "with 65,001 names for one file",
    [file("f"), ...Array.from({ length: 65_000 }, (_, i) => hardlink(`l${i}`, "f"))],
    "EXT4_TOO_MANY_LINKS",
    "limit",
  ],
  [
    "with a link to nothing",
    [hardlink("a", "../../etc/passwd")],
    "ROOTFS_LINK_TARGET_MISSING",
    "corrupt",
  ],
  [
    "with a link to a directory",
    [directory("d"), hardlink("a", "d")],
    "ROOTFS_LINK_TO_DIRECTORY",
    "corrupt",
  ],
  [
    "with links in a circle on the way",
    [symlink("a", "b"), symlink("b", "a"), file("a/f")],
    "ROOTFS_SYMLINK_LOOP",
    "corrupt",
  ],
  ["with a file below a file", [file("f"), file("f/g")], "ROOTFS_PARENT_NOT_DIRECTORY", "corrupt"],
  ["whose root is a file", [file("/")], "ROOTFS_ROOT_NOT_DIRECTORY", "corrupt"],
  ["with a whiteout of ..", [file("d/.wh...")], "ROOTFS_WHITEOUT_INVALID", "corrupt"],
  [
    "with a link without a target",
    patched(symlink("s", "x"), 157, "\0"),
    "ROOTFS_ENTRY_INVALID",
    "corrupt",
  ],
  [
    "with a link whose target has 4,096 bytes",
    [symlink("s", "t".repeat(4096))],
    "ROOTFS_ENTRY_INVALID",
    "corrupt",
  ],
  [
    "with a device that Linux cannot have",
    [special("c", "char", 4096, 0)],
    "ROOTFS_ENTRY_INVALID",
    "corrupt",
  ],
  [
    "with an access control list that is none",
    [xattr("system.posix_acl_access", bytes("no list"))],
    "ROOTFS_ENTRY_INVALID",
    "corrupt",
  ],
  [
    "with a file in the place of lost+found",
    [file("lost+found")],
    "EXT4_BAD_LOST_AND_FOUND",
    "unsupported",
  ],
];

/** What this process has open below the home. */
function openFiles(): string[] {
  return readdirSync("/proc/self/fd").flatMap((descriptor) => {
    try {
      const path = readlinkSync(`/proc/self/fd/${descriptor}`);
      return path.startsWith(home) ? [path] : [];
    } catch {
      return [];
    }
  });
}

async function expectNothingLeft(): Promise<void> {
  if (process.platform === "linux") expect(openFiles()).toEqual([]);
  expect(await readdir(join(home, "bases"))).toEqual([]);
  expect((await readdir(join(home, "locks"))).filter((name) => /progress|tmp/.test(name))).toEqual(
    [],
  );
  // The home is as good as before.
  expect(await build(sound, "tar")).toHaveLength(1);
}

describe("a layer is refused, with its code, and leaves nothing:", () => {
  test.each(wrongArchives)("an archive %s", async (_what, layer, code, kind) => {
    const archive = layer instanceof Uint8Array ? layer : archiveOf(layer);
    for (const [blob, type] of [
      [archive, "tar"],
      [gzipSync(archive), "tar+gzip"],
    ] as const) {
      const failed = build(blob, type, sha256(archive));
      await expect(failed).rejects.toMatchObject({ code, kind });
    }
    await expectNothingLeft();
  });

  const gzip = gzipSync(sound);
  const flipped = Uint8Array.from(gzip);
  flipped[gzip.byteLength - 6] = (flipped[gzip.byteLength - 6] as number) ^ 1;
  const bomb = new Uint8Array(2 ** 27);
  test.each<readonly [string, Uint8Array, string, string, string, ErrorKind]>([
    [
      "that is cut",
      gzip.subarray(0, -20),
      "tar+gzip",
      sha256(sound),
      "OCI_LAYER_CORRUPT",
      "corrupt",
    ],
    [
      "whose sum is wrong and whose content is another",
      flipped,
      "tar+gzip",
      sha256(bytes("other")),
      "OCI_LAYER_CORRUPT",
      "corrupt",
    ],
    [
      "with rubbish behind it",
      Buffer.concat([gzip, bytes("rubbish")]),
      "tar+gzip",
      sha256(sound),
      "OCI_LAYER_CORRUPT",
      "corrupt",
    ],
    [
      "that unpacks to something else than it says",
      gzip,
      "tar+gzip",
      sha256(bytes("other")),
      "OCI_DIFF_ID_MISMATCH",
      "corrupt",
    ],
    [
      "that expands ten thousand times",
      zstdCompressSync(bomb),
      "tar+zstd",
      sha256(bomb),
      "OCI_LAYER_TOO_LARGE",
      "limit",
    ],
  ])("a compressed one %s", async (_what, blob, type, diffId, code, kind) => {
    await expect(build(blob, type, diffId)).rejects.toMatchObject({ code, kind });
    await expectNothingLeft();
  });

  test("but none whose content is what the image says, even if gzip's own sum is wrong", async () => {
    const [base = ""] = await build(flipped, "tar+gzip", sha256(sound));
    const [same = ""] = await build(sound, "tar");
    expect(base).not.toBe("");
    expect(base).toBe(same);
  });

  test.each<[string, number, string]>([
    ["shows in a header first", 150, "TAR_BAD_CHECKSUM"],
    ["shows in the digest of the content", 1100, "OCI_DIGEST_MISMATCH"],
  ])("a stored blob whose damage %s", async (_what, at, firstCode) => {
    await writeOciLayout(join(home, "layout"), [sound]);
    const store = await ImageStore.open(join(home, "images"));
    const image = await store.pull(`oci:${join(home, "layout")}:latest`);
    const damaged = Buffer.from(sound);
    damaged.writeUInt8(damaged.readUInt8(at) ^ 1, at);
    const { digest } = image.layers[0]?.descriptor ?? image.descriptor;
    const path = store.layout.blobPath(digest);
    await rm(path);
    await writeFile(path, damaged);
    const layers = layersOfImage(store, image);
    await expect(mergeLayers(layers)).rejects.toMatchObject({ code: firstCode });
    await expect(cache().ensure({ layers })).rejects.toMatchObject({
      code: "OCI_DIGEST_MISMATCH",
      hint: expect.stringContaining("box verify --repair"),
    });
    expect(await store.layout.removeRotten(digest)).toBe(true);
    await expectNothingLeft();
  });

  test("a blob that is not what its digest says", async () => {
    await build(sound, "tar");
    const store = join(home, "images", "blobs", "sha256");
    const other = archiveOf([file("other", "content")]);
    await writeOciLayout(join(home, "layout-2"), [other], undefined, sha256(other));
    const images = await ImageStore.open(join(home, "images"));
    const image = await images.pull(`oci:${join(home, "layout-2")}:latest`);
    const path = join(store, sha256(other).slice("sha256:".length));
    await rm(path);
    await writeFile(path, archiveOf([file("other", "CONTENT")]));
    const failed = cache().ensure({ layers: layersOfImage(images, image) });
    await expect(failed).rejects.toMatchObject({ code: "OCI_DIGEST_MISMATCH", kind: "corrupt" });
    expect(
      (await readdir(join(home, "bases"))).filter((name) => !/^[0-9a-f]{64}\./.test(name)),
    ).toEqual([]);
  });
});

test("rubbish behind the end of an archive is no part of it", async () => {
  const archive = Buffer.concat([sound, bytes("rubbish".repeat(100))]);
  const [path] = await build(gzipSync(archive), "tar+gzip", sha256(archive));
  expect(path).toMatch(/\.ext4$/);
});

test("an image has the same base however its layers are compressed", async () => {
  const digests: string[] = [];
  for (const [blob, type] of [
    [sound, "tar"],
    [gzipSync(sound, { level: 1 }), "tar+gzip"],
    [
      Buffer.concat([gzipSync(sound.subarray(0, 1500)), gzipSync(sound.subarray(1500))]),
      "tar+gzip",
    ],
    [zstdCompressSync(sound), "tar+zstd"],
  ] as const) {
    await rm(join(home, "bases"), { recursive: true, force: true });
    await build(blob, type, sha256(sound));
    digests.push(...(await cache().list()).map(({ key, digest }) => `${key} ${digest}`));
  }
  expect(digests).toHaveLength(4);
  expect(new Set(digests).size).toBe(1);
});
