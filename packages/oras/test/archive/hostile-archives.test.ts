import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { MemoryFile, type RandomAccess } from "@box/io";
import { digestHex, digestOf, ImageArchive, type OrasErrorCode } from "@box/oras";
import { drain } from "@box/test-support";
import { describe, expect, test } from "vitest";
import { expectCode } from "../expect-code.ts";
import { encodeJson, noise } from "../sample-image.ts";
import { temporaryFolder } from "../temporary-folder.ts";
import { type Member, tarOf } from "./tar-of.ts";

const layer = noise(3000);
const config = encodeJson({ rootfs: { diff_ids: [digestOf(layer)] } });
const listing = [{ Config: "c.json", RepoTags: ["app:1"], Layers: ["l/layer.tar"] }];
const docker: readonly Member[] = [
  ["c.json", config],
  ["l/layer.tar", layer],
  ["manifest.json", encodeJson(listing)],
];
const marker: Member = ["oci-layout", encodeJson({ imageLayoutVersion: "1.0.0" })];
const emptyIndex: Member = ["index.json", encodeJson({ schemaVersion: 2, manifests: [] })];
const blobPath = `blobs/sha256/${digestHex(digestOf(layer))}`;
const descriptor = { mediaType: "x/y", digest: digestOf(layer), size: layer.byteLength };

const open = (bytes: Uint8Array, limits = {}): Promise<ImageArchive> =>
  ImageArchive.open(new MemoryFile(bytes), { limits });

/** The members with one changed. */
const with1 = (name: string, content: Member[1]): readonly Member[] => [
  ...docker.filter(([path]) => path !== name),
  [name, content],
];

describe("an archive of docker save is read", () => {
  const readable: readonly (readonly [string, readonly Member[]])[] = [
    ["in any order", docker.toReversed()],
    ["with dots in its names", docker.map(([path, content]) => [`./x/..//${path}`, content])],
    ["with names from the root", docker.map(([path, content]) => [`/${path}`, content])],
    ["through a relative link", [...with1("l/layer.tar", { symlink: "../m/x" }), ["m/x", layer]]],
    ["through a link from the root", [...with1("l/layer.tar", { symlink: "/x" }), ["x", layer]]],
    ["through a hard link", [["m/x", layer], ...with1("l/layer.tar", { hardlink: "m/x" })]],
    [
      "through sixteen links",
      [
        ...with1("l/layer.tar", { symlink: "../1" }),
        ...Array.from({ length: 14 }, (_, n): Member => [`${n + 1}`, { symlink: `${n + 2}` }]),
        ["15", layer],
      ],
    ],
    ["whatever else is twice in it", [...docker, ["other", "a"], ["other", "b"]]],
  ];
  test.each(readable)("%s", async (_, members) => {
    const archive = await open(tarOf(members));
    const root = await archive.resolve("app:1");
    expect(await drain(archive.fetch(descriptor))).toEqual(layer);
    const plain = await open(tarOf(docker));
    expect(await plain.resolveOnly()).toEqual(root);
  });

  test("with layers of any compression, named for what they are", async () => {
    const packed = new Uint8Array(gzipSync(layer));
    const archive = await open(tarOf(with1("l/layer.tar", packed)));
    const root = await archive.resolveOnly();
    const manifest = JSON.parse(new TextDecoder().decode(await drain(archive.fetch(root))));
    expect(manifest.layers).toEqual([
      {
        mediaType: "application/vnd.oci.image.layer.v1.tar+gzip",
        digest: digestOf(packed),
        size: packed.byteLength,
      },
    ]);
  });
});

describe("an archive is refused", () => {
  const many = Array.from({ length: 5001 }, () => "l/layer.tar");
  const images = Array.from({ length: 20 }, () => ({ Config: "c.json", Layers: many }));
  const refused: readonly (readonly [string, OrasErrorCode, readonly Member[]])[] = [
    ["without a listing", "OCI_ARCHIVE_CORRUPT", docker.slice(0, 2)],
    ["without its config", "OCI_ARCHIVE_CORRUPT", docker.slice(1)],
    ["without a layer", "OCI_ARCHIVE_CORRUPT", [...docker.slice(0, 1), ...docker.slice(2)]],
    ["with an empty listing", "OCI_ARCHIVE_CORRUPT", [["manifest.json", "[]"]]],
    ["with a listing that is no JSON", "OCI_INVALID_JSON", [["manifest.json", "["]]],
    ["with a listing too deep", "OCI_TOO_DEEP", [["manifest.json", "[".repeat(100)]]],
    [
      "with a listing of too many layers",
      "OCI_TOO_LARGE",
      with1("manifest.json", encodeJson(images)),
    ],
    ["with two listings", "OCI_ARCHIVE_CORRUPT", [...docker, ["./manifest.json", "[]"]]],
    ["with two files for a layer", "OCI_ARCHIVE_CORRUPT", [...docker, ["l/layer.tar", layer]]],
    [
      "with a file and a link of one name",
      "OCI_ARCHIVE_CORRUPT",
      [["l/layer.tar", { symlink: "../c.json" }], ...docker],
    ],
    ["with a name out of it", "OCI_UNSAFE_NAME", [["a/../../etc/passwd", "x"], ...docker]],
    [
      "with a link out of it",
      "OCI_UNSAFE_NAME",
      with1("l/layer.tar", { symlink: "../../etc/passwd" }),
    ],
    [
      "with a link to a file of the host",
      "OCI_ARCHIVE_CORRUPT",
      with1("c.json", { symlink: "/etc/passwd" }),
    ],
    ["with a hard link out of it", "OCI_UNSAFE_NAME", with1("c.json", { hardlink: "../c" })],
    ["with a link to itself", "OCI_ARCHIVE_CORRUPT", with1("c.json", { symlink: "c.json" })],
    [
      "with links in a ring",
      "OCI_ARCHIVE_CORRUPT",
      [...with1("c.json", { symlink: "d.json" }), ["d.json", { symlink: "c.json" }]],
    ],
    ["without an index", "OCI_LAYOUT_MISSING", [marker]],
    ["with two indexes", "OCI_ARCHIVE_CORRUPT", [marker, emptyIndex, emptyIndex]],
    ["with an index that is no index", "OCI_LAYOUT_INVALID", [marker, ["index.json", "{}"]]],
    [
      "with another version",
      "OCI_LAYOUT_VERSION",
      [["oci-layout", encodeJson({ imageLayoutVersion: "2.0.0" })]],
    ],
    ["with a large marker", "OCI_TOO_LARGE", [["oci-layout", " ".repeat(5000)]]],
  ];
  test.each(refused)("%s: %s", async (_, code, members) => {
    await expectCode(open(tarOf(members)), code);
  });

  test("when it is cut anywhere, no tar at all, or empty", async () => {
    const whole = tarOf(docker);
    for (const end of [1, 511, 513, 1000, 1536, 3000]) {
      await expectCode(open(whole.subarray(0, end)), "OCI_ARCHIVE_CORRUPT");
    }
    await expectCode(open(noise(5000)), "OCI_ARCHIVE_CORRUPT");
    await expectCode(open(new Uint8Array(0)), "OCI_ARCHIVE_CORRUPT");
  });

  test("when it is compressed, with a hint", async () => {
    const error = await expectCode(open(gzipSync(tarOf(docker))), "ORAS_UNSUPPORTED");
    expect(error.message).toContain("decompress it first");
  });

  test("when a header claims more than there is, before anything is allocated", async () => {
    const bytes = tarOf([["manifest.json", "x"]]);
    // Base-256: 2^52 bytes.
    bytes.set([0x80, 0, 0, 0, 0, 0x10, 0, 0, 0, 0, 0, 0], 124);
    sealHeader(bytes);
    await expectCode(open(bytes), "OCI_ARCHIVE_CORRUPT");
  });

  test("when it exceeds a limit", async () => {
    const bytes = tarOf(docker);
    await expectCode(open(bytes, { maxEntries: 2 }), "OCI_TOO_LARGE");
    await expectCode(open(bytes, { maxManifestBytes: 20 }), "OCI_TOO_LARGE");
    await expectCode(open(tarOf([marker, emptyIndex]), { maxIndexBytes: 20 }), "OCI_TOO_LARGE");
    const names = Array.from({ length: 4200 }, (_, n): Member => [`${n}`.padStart(4000, "x"), ""]);
    await expectCode(open(tarOf(names)), "OCI_TOO_LARGE");
  });

  test("before a listing over the limit is read", async () => {
    const file = new MemoryFile(tarOf([["manifest.json", new Uint8Array(1_000_000)]]));
    let longest = 0;
    const watched: RandomAccess = {
      size: () => file.size(),
      read: async (offset, length, into) => {
        longest = Math.max(longest, length);
        return file.read(offset, length, into);
      },
    };
    const limits = { maxManifestBytes: 900_000 };
    await expectCode(ImageArchive.open(watched, { limits }), "OCI_TOO_LARGE");
    expect(longest).toBeLessThan(100_000);
  });

  test("when a file of it is sparse", async () => {
    const bytes = tarOf([
      ["blobs/x", layer],
      ["oci-layout", encodeJson({ imageLayoutVersion: "1.0.0" })],
    ]);
    // The old GNU way: type S, no ranges, and the real size.
    const at = 512 + 3072;
    bytes[at + 156] = 0x53;
    bytes.set(new TextEncoder().encode("ustar  \0"), at + 257);
    bytes.fill(0, at + 386, at + 495);
    bytes.set(new TextEncoder().encode("00000000000\x0000000000036\0"), at + 386);
    bytes.set(new TextEncoder().encode("00000000036\0"), at + 483);
    sealHeader(bytes.subarray(at, at + 512));
    await expectCode(open(bytes), "OCI_ARCHIVE_CORRUPT");
  });

  test("when there is none, or a folder", async () => {
    const folder = await temporaryFolder();
    await expectCode(ImageArchive.open(join(folder, "none")), "OCI_NOT_FOUND");
    await expectCode(ImageArchive.open(folder), "IO_FAILED");
    const path = join(folder, "bad.tar");
    await writeFile(path, noise(5000));
    const error = await expectCode(ImageArchive.open(path), "OCI_ARCHIVE_CORRUPT");
    expect(error.message).toContain(path);
  });
});

describe("content of an archive", () => {
  const layout = (content: Uint8Array): Uint8Array =>
    tarOf([marker, emptyIndex, [blobPath, content]]);

  test("is verified when it is read", async () => {
    const archive = await open(layout(noise(3000, 2)));
    await expectCode(drain(archive.fetch(descriptor)), "OCI_DIGEST_MISMATCH");
    const short = await open(layout(noise(2999)));
    await expectCode(drain(short.fetch(descriptor)), "OCI_SIZE_MISMATCH");
    expect(await short.exists(descriptor)).toBe(false);
  });

  test("is its reader's, chunk by chunk", async () => {
    const archive = await open(tarOf(docker));
    const root = await archive.resolveOnly();
    const read = () => drain(archive.fetch(root));
    const before = await read();
    expect(archive.ownsNoChunks).toBe(true);
    for await (const { buffer } of await archive.fetch(root)) (buffer as ArrayBuffer).transfer(0);
    expect(await read()).toEqual(before);
  });

  test("may be there twice, because its name says what it is", async () => {
    const twice = tarOf([marker, emptyIndex, [blobPath, layer], [blobPath, layer]]);
    expect(await drain((await open(twice)).fetch(descriptor))).toEqual(layer);
  });

  test("is found by digests alone", async () => {
    const names = ["blobs/sha256/../x", "blobs/sha256/ABC", `${blobPath}/more`, "blobs/md5/x"];
    const archive = await open(
      tarOf([marker, emptyIndex, ...names.map((name): Member => [name, layer])]),
    );
    const error = await expectCode(archive.fetch(descriptor), "OCI_NOT_FOUND");
    expect(error.hint).toContain("incomplete");
    await expectCode(archive.resolve(descriptor.digest), "OCI_NOT_FOUND");
    await expectCode(archive.resolveOnly(), "OCI_NOT_FOUND");
  });

  test("that is cut while it is read is no content", async () => {
    const file = new MemoryFile(layout(layer));
    const archive = await ImageArchive.open(file);
    await file.truncate(2000);
    await expectCode(drain(archive.fetch(descriptor)), "OCI_ARCHIVE_CORRUPT");
  });

  test("passes I/O errors on as they are", async () => {
    const file = new MemoryFile(layout(layer));
    let isBroken = false;
    const failing: RandomAccess = {
      size: () => file.size(),
      read: async (offset, length, into) => {
        if (isBroken) throw new Error("EIO");
        return file.read(offset, length, into);
      },
    };
    const archive = await ImageArchive.open(failing);
    isBroken = true;
    await expect(drain(archive.fetch(descriptor))).rejects.toThrow("EIO");
    await expect(ImageArchive.open(failing)).rejects.toThrow("EIO");
  });
});

/** Makes the checksum of a header right again. */
function sealHeader(block: Uint8Array): void {
  block.fill(0x20, 148, 156);
  const sum = block.subarray(0, 512).reduce((total, byte) => total + byte, 0);
  block.set(new TextEncoder().encode(`${sum.toString(8).padStart(6, "0")}\0 `), 148);
}
