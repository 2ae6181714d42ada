import { createHash } from "node:crypto";
import {
  assembleBootstrapImage,
  type BootstrapImage,
  guestArchitectures,
  knownBootstrapImage,
} from "@box/guest";
import { type TarEntry, TarParser } from "@box/tar";
import { describe, expect, test } from "vitest";

interface Descriptor {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
}

describe.each(guestArchitectures)("assembleBootstrapImage for %s", (architecture) => {
  const image = assembleBootstrapImage({ architecture });

  test("makes the same bytes every time", () => {
    expect(assembleBootstrapImage({ architecture })).toEqual(image);
  });

  test("names every blob by its digest and refers only to blobs that it has", () => {
    for (const [digest, bytes] of image.blobs) expect(digestOf(bytes)).toBe(digest);
    const { config, layers } = manifestOf(image);
    for (const { digest, size } of [image.manifest, config, ...layers]) {
      expect(image.blobs.get(digest)?.length).toBe(size);
    }
    expect(image.blobs.size).toBe(2 + layers.length);
  });

  test("gives each blob before those that refer to it", () => {
    const { config, layers } = manifestOf(image);
    const order = [...layers, config, image.manifest].map(({ digest }) => digest);
    expect([...image.blobs.keys()]).toEqual(order);
  });

  test("is an OCI image: media types, platform, one plain layer whose digest is its diffID", () => {
    const { mediaType, schemaVersion, config, layers } = manifestOf(image);
    expect({ mediaType, schemaVersion }).toEqual({
      mediaType: "application/vnd.oci.image.manifest.v1+json",
      schemaVersion: 2,
    });
    expect(image.mediaType).toBe(mediaType);
    expect(image.manifest.mediaType).toBe(mediaType);
    expect(config.mediaType).toBe("application/vnd.oci.image.config.v1+json");
    expect(layers.map((layer) => layer.mediaType)).toEqual([
      "application/vnd.oci.image.layer.v1.tar",
    ]);
    expect(image.platform).toEqual({ os: "linux", architecture });
    expect(configOf(image)).toMatchObject({
      os: "linux",
      architecture,
      rootfs: { type: "layers", diff_ids: layers.map(({ digest }) => digest) },
    });
  });

  test("is what is known of it before it is assembled", () => {
    const { config, rootfs } = configOf(image);
    expect(knownBootstrapImage(architecture)).toEqual({
      digest: image.manifest.digest,
      diffIds: rootfs.diff_ids,
      environment: config.Env,
      workingDirectory: config.WorkingDir,
    });
  });

  test("sets an environment of assignments, PATH among them", () => {
    const environment = configOf(image).config.Env;
    expect(environment).toContainEqual(expect.stringMatching(/^PATH=(\/[a-z]+)+/));
    for (const entry of environment) expect(entry).toMatch(/^[A-Z]+=/);
  });
});

test("the bytes are the ones of this version, on every machine", () => {
  const digests = guestArchitectures.map((architecture) => [
    architecture,
    assembleBootstrapImage({ architecture }).manifest.digest,
  ]);
  expect(Object.fromEntries(digests)).toEqual({
    amd64: "sha256:a4c9bfd1c11ed792ee67a94da2a81eb0f390fffe8a687a096976deed4bb82af4",
    arm64: "sha256:a3de7eb1da056040f4053f6d24533910eecc556d7ee7e289cdea167e8ab13281",
  });
});

describe("the guest's system tree", () => {
  const entries = readLayer(assembleBootstrapImage({ architecture: "amd64" }));

  test("has the directories that a system needs, with their permissions", () => {
    const modes = [...entries.values()]
      .filter(({ entry }) => entry.type === "directory")
      .map(({ entry }) => [pathOf(entry), entry.mode.toString(8)]);
    expect(Object.fromEntries(modes)).toEqual({
      box: "755",
      dev: "755",
      etc: "755",
      proc: "555",
      root: "700",
      run: "755",
      sys: "555",
      tmp: "1777",
    });
  });

  test("names root, its group, the host and the system", () => {
    expect(entries.get("etc/passwd")?.text).toBe("root:x:0:0:root:/root:/sbin/nologin\n");
    expect(entries.get("etc/group")?.text).toBe("root:x:0:\n");
    expect(entries.get("etc/hostname")?.text).toBe("box\n");
    expect(entries.get("etc/hosts")?.text).toContain("127.0.0.1 localhost\n");
    expect(entries.get("etc/os-release")?.text).toMatch(/^ID=box-guest$/m);
  });

  test("holds no program: the agent is not part of it", () => {
    const executable = [...entries.values()].filter(
      ({ entry }) => entry.type === "file" && (entry.mode & 0o111) !== 0,
    );
    expect(executable).toEqual([]);
  });

  test("belongs to root and has no time of its own", () => {
    for (const { entry } of entries.values()) {
      expect([entry.uid, entry.gid]).toEqual([0, 0]);
      expect(entry.mtime).toEqual({ seconds: 0, nanoseconds: 0 });
    }
  });

  test("gives a directory before what is in it", () => {
    const seen = new Set([""]);
    for (const path of entries.keys()) {
      expect(seen).toContain(path.split("/").slice(0, -1).join("/"));
      seen.add(path);
    }
  });
});

interface ReadFile {
  readonly entry: TarEntry;
  text: string;
}

function readLayer(image: BootstrapImage): Map<string, ReadFile> {
  const entries = new Map<string, ReadFile>();
  let current: ReadFile | undefined;
  const parser = new TarParser({
    entry: (entry) => {
      current = { entry, text: "" };
      entries.set(pathOf(entry), current);
    },
    data: (chunk) => {
      if (current !== undefined) current.text += new TextDecoder().decode(chunk);
    },
  });
  for (const { digest } of manifestOf(image).layers) parser.push(blobOf(image, digest));
  parser.finish();
  return entries;
}

function pathOf(entry: TarEntry): string {
  return new TextDecoder().decode(entry.path).replace(/\/$/, "");
}

function manifestOf(image: BootstrapImage): {
  mediaType: string;
  schemaVersion: number;
  config: Descriptor;
  layers: Descriptor[];
} {
  return JSON.parse(new TextDecoder().decode(blobOf(image, image.manifest.digest)));
}

interface Config {
  readonly config: { readonly Env: string[]; readonly WorkingDir: string };
  readonly rootfs: { readonly diff_ids: string[] };
}

function configOf(image: BootstrapImage): Config {
  return JSON.parse(new TextDecoder().decode(blobOf(image, manifestOf(image).config.digest)));
}

function blobOf(image: BootstrapImage, digest: string): Uint8Array {
  const bytes = image.blobs.get(digest);
  if (bytes === undefined) throw new Error(`the image has no blob ${digest}`);
  return bytes;
}

function digestOf(bytes: Uint8Array): string {
  return `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
}
