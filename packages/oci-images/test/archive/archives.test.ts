import { readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { ImageStore, type LayerLimits } from "@box/oci-images";
import { digestOf } from "@box/oras";
import { buildTar, type TarEntry } from "@box/tar";
import { drain } from "@box/test-support";
import { describe, expect, test } from "vitest";
import { expectCode } from "../expect-code.ts";
import { encodeJson, noise } from "../sample-image.ts";
import { temporaryFolder } from "../temporary-folder.ts";

const platform = { os: "linux", architecture: "amd64" };
const bytesOf = (text: string) => new TextEncoder().encode(text);

function entry(path: string, type: TarEntry["type"], sizeBytes: number, linkPath = ""): TarEntry {
  return {
    path: bytesOf(path),
    type,
    mode: 0o644,
    uid: 0,
    gid: 0,
    sizeBytes,
    mtime: { seconds: 0, nanoseconds: 0 },
    linkPath: bytesOf(linkPath),
    deviceMajor: 0,
    deviceMinor: 0,
    xattrs: [],
  };
}

type Part = readonly [path: string, content: Uint8Array | { readonly symlink: string }];

function archiveOf(parts: readonly Part[]): Uint8Array {
  return buildTar(
    parts.map(([path, content]) =>
      content instanceof Uint8Array
        ? { entry: entry(path, "file", content.byteLength), content }
        : { entry: entry(path, "symlink", 0, content.symlink) },
    ),
  );
}

const layers = [noise(5000, 1), noise(6000, 2)] as const;
const config = encodeJson({
  ...platform,
  config: { Cmd: ["/hello"] },
  rootfs: { type: "layers", diff_ids: [...layers, layers[0]].map((layer) => digestOf(layer)) },
});
const manifest = [
  {
    Config: "config.json",
    RepoTags: ["app:1"],
    Layers: ["a/layer.tar", "b/layer.tar", "c/layer.tar"],
  },
];
const dockerParts: readonly Part[] = [
  ["a/layer.tar", layers[0]],
  ["./b/layer.tar", layers[1]],
  ["c/layer.tar", { symlink: "../a/layer.tar" }],
  ["config.json", config],
  ["manifest.json", encodeJson(manifest)],
];

async function written(bytes: Uint8Array): Promise<string> {
  const path = join(await temporaryFolder(), "image.tar");
  await writeFile(path, bytes);
  return path;
}

async function openStore(): Promise<ImageStore> {
  return ImageStore.open(join(await temporaryFolder(), "store"), { platform });
}

async function pull(bytes: Uint8Array, transport = "docker-archive", suffix = "") {
  const store = await openStore();
  const path = await written(bytes);
  try {
    const image = await store.pull(`${transport}:${path}${suffix}`);
    return { store, image, path };
  } finally {
    const left = await readdir(join(store.layout.directory, "ingest"));
    expect(left.filter((name) => name.startsWith("import-"))).toEqual([]);
  }
}

describe("an archive of docker save", () => {
  test("is imported with its layers, through links", async () => {
    const { store, image, path } = await pull(archiveOf(dockerParts));
    expect(image.config.cmd).toEqual(["/hello"]);
    expect(image.layers.map(({ diffId }) => diffId)).toEqual(
      [layers[0], layers[1], layers[0]].map((layer) => digestOf(layer)),
    );
    for (const layer of image.layers) await drain(store.openLayer(layer));
    expect((await store.pull(`docker-archive:${path}`)).digest).toBe(image.digest);
  });

  test("may be compressed, and yields the same manifest", async () => {
    const plain = await pull(archiveOf(dockerParts));
    for (const compress of [gzipSync, zstdCompressSync]) {
      const { image } = await pull(new Uint8Array(compress(archiveOf(dockerParts))));
      expect(image.digest).toBe(plain.image.digest);
    }
  });

  test("may hold compressed layers", async () => {
    const parts = dockerParts.map(
      ([path, content]): Part => [
        path,
        path === "a/layer.tar" ? new Uint8Array(gzipSync(layers[0])) : content,
      ],
    );
    const { store, image } = await pull(archiveOf(parts));
    for (const layer of image.layers) await drain(store.openLayer(layer));
  });

  test("is asked for by name when it holds several images", async () => {
    const second = encodeJson({ ...platform, rootfs: { diff_ids: [] } });
    const parts: readonly Part[] = [
      ...dockerParts.slice(0, 4),
      ["second.json", second],
      [
        "manifest.json",
        encodeJson([
          ...manifest,
          { Config: "second.json", RepoTags: ["x:2", "Bad Tag"], Layers: null },
        ]),
      ],
    ];
    const bytes = archiveOf(parts);
    await expectCode(pull(bytes), "OCI_AMBIGUOUS_REFERENCE");
    expect((await pull(bytes, "docker-archive", ":x:2")).image.layers).toEqual([]);
    const full = await pull(bytes, "docker-archive", ":docker.io/library/app:1");
    expect(full.image.layers).toHaveLength(3);
    const error = await expectCode(pull(bytes, "docker-archive", ":y:3"), "OCI_NOT_FOUND");
    expect(error.hint).toContain("app:1");
  });

  const without = (name: string) => dockerParts.filter(([path]) => path !== name);
  test.each([
    ["OCI_ARCHIVE_CORRUPT", without("manifest.json")],
    ["OCI_ARCHIVE_CORRUPT", without("config.json")],
    ["OCI_ARCHIVE_CORRUPT", without("a/layer.tar")],
    ["OCI_ARCHIVE_CORRUPT", [["manifest.json", encodeJson([])]]],
    ["OCI_INVALID_JSON", [["manifest.json", bytesOf("{")]]],
    ["OCI_ARCHIVE_CORRUPT", [["manifest.json", { symlink: "manifest.json" }]]],
    ["OCI_ARCHIVE_CORRUPT", [["manifest.json", { symlink: "/etc/passwd" }]]],
    ["OCI_UNSAFE_NAME", [["manifest.json", { symlink: "../../../../etc/passwd" }]]],
    [
      "OCI_UNSAFE_NAME",
      [
        ["oci-layout", encodeJson({ imageLayoutVersion: "1.0.0" })],
        ["blobs/sha256", bytesOf("x")],
        ["../../index.json", { symlink: "/etc/passwd" }],
      ],
    ],
  ] as [Parameters<typeof expectCode>[1], readonly Part[]][])(
    "is refused with %s when it is malformed (%#)",
    async (code, parts) => {
      await expectCode(pull(archiveOf(parts)), code);
    },
  );

  test("that is no tar, is cut or has a damaged compression is refused", async () => {
    const whole = archiveOf(dockerParts);
    await expectCode(pull(noise(5000)), "OCI_ARCHIVE_CORRUPT");
    await expectCode(pull(whole.subarray(0, 4000)), "OCI_ARCHIVE_CORRUPT");
    await expectCode(pull(gzipSync(whole).subarray(0, 4000)), "OCI_ARCHIVE_CORRUPT");
  });

  test("is no layout archive", async () => {
    const error = await expectCode(
      pull(archiveOf(dockerParts), "oci-archive"),
      "OCI_ARCHIVE_CORRUPT",
    );
    expect(error.hint).toContain("docker-archive:");
  });
});

describe("an archive that must be written out", () => {
  const expanding = async (bytes: Uint8Array, layerLimits: Partial<LayerLimits>) => {
    const directory = join(await temporaryFolder(), "store");
    const store = await ImageStore.open(directory, { platform, layerLimits });
    const chunks = (async function* () {
      yield bytes;
    })();
    const importing = store.import({ chunks, what: "a stream" }, { name: "app:1" });
    const { code } = await expectCode(importing, "OCI_LAYER_TOO_LARGE").catch(() => ({ code: "" }));
    const left = await readdir(join(directory, "ingest"));
    expect(left.filter((name) => name.startsWith("import-"))).toEqual([]);
    return code;
  };

  test("is stopped when it expands too far, and goes", async () => {
    const bomb = new Uint8Array(gzipSync(new Uint8Array(3_000_000)));
    const limits = { maxRatio: 100, ratioFromBytes: 1_000_000 };
    expect(await expanding(bomb, limits)).toBe("OCI_LAYER_TOO_LARGE");
    expect(await expanding(noise(3_000_000), { maxTarBytes: 2_000_000 })).toBe(
      "OCI_LAYER_TOO_LARGE",
    );
    // What is wrong with it then is that it is no archive.
    expect(await expanding(bomb, { ...limits, ratioFromBytes: 4_000_000 })).toBe("");
  });

  test("is stopped by its signal while nothing of it comes", async () => {
    const store = await openStore();
    const controller = new AbortController();
    const chunks = (async function* () {
      yield noise(1000);
      controller.abort();
      await new Promise(() => {});
    })();
    const { signal } = controller;
    await expectCode(store.import({ chunks, what: "a stream" }, { signal }), "ORAS_ABORTED");
  });
});
