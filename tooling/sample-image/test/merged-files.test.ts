import { architectures, buildSampleImage, sampleTimeSeconds, writeHello } from "@box/sample-image";
import { describe, expect, test } from "vitest";
import { latin1Name, longName, netRawCapability, patternBytes } from "../src/layers.ts";
import { mergeLayers } from "./merge-layers.ts";
import { readManifest, tarOf } from "./read-image.ts";
import { latin1, readTar } from "./read-tar.ts";

const image = buildSampleImage();

describe.each(architectures)("the files of the image for %s", (architecture) => {
  const manifest = image.manifests[architectures.indexOf(architecture)] ?? image.index;
  const layers = readManifest(image, manifest).layers.map((layer) => tarOf(image, layer));
  const tree = mergeLayers(layers.map(readTar));

  test("are the ones that the layers leave", () => {
    expect([...tree.keys()].sort()).toEqual(
      [
        "bin",
        "bin/hello",
        "bin/hi",
        "etc",
        "etc/group",
        "etc/hello.conf",
        "etc/motd",
        "etc/os-release",
        "etc/passwd",
        "home",
        "home/box",
        "opt",
        "root",
        "srv",
        "srv/data-again.bin",
        "srv/data.bin",
        "tmp",
        "usr",
        "usr/bin",
        "usr/bin/as-root",
        "usr/bin/hello",
        "usr/bin/raw-socket",
        "usr/share",
        "usr/share/notes",
        `usr/share/notes/${latin1(latin1Name)}`,
        `usr/share/notes/${longName}`,
        "usr/share/notes/third.txt",
        "var",
        "var/cache",
        "var/cache/fresh.txt",
      ].sort(),
    );
  });

  test("has the program under two names and a symbolic link to it", () => {
    const program = tree.get("bin/hello");
    expect(program?.content).toEqual(writeHello(architecture));
    expect(program?.entry.mode).toBe(0o755);
    expect(tree.get("bin/hi")).toBe(program);
    const link = tree.get("usr/bin/hello")?.entry;
    expect([link?.type, latin1(link?.linkPath ?? new Uint8Array())]).toEqual([
      "symlink",
      "../../bin/hello",
    ]);
  });

  test("links a file of a lower layer", () => {
    expect(tree.get("srv/data-again.bin")).toBe(tree.get("srv/data.bin"));
    expect(tree.get("srv/data.bin")?.content).toEqual(patternBytes(200_001));
  });

  test("keeps special bits, owners, nanoseconds and extended attributes", () => {
    expect(tree.get("usr/bin/as-root")?.entry.mode).toBe(0o4755);
    expect(tree.get("tmp")?.entry.mode).toBe(0o1777);
    expect(tree.get("home/box")?.entry).toMatchObject({ mode: 0o750, uid: 1000, gid: 1000 });
    expect(tree.get("etc/motd")?.entry.mtime).toEqual({
      seconds: sampleTimeSeconds,
      nanoseconds: 999_999_999,
    });
    const attributes = ["etc/hello.conf", "usr/bin/raw-socket"].map((path) =>
      tree.get(path)?.entry.xattrs.map(({ name, value }) => [latin1(name), [...value]]),
    );
    expect(attributes).toEqual([
      [["user.layer", [...new TextEncoder().encode("two")]]],
      [["security.capability", [...netRawCapability]]],
    ]);
    expect(netRawCapability).toHaveLength(20);
  });

  test("has one file replaced by a later layer", () => {
    const motd = tree.get("etc/motd")?.content;
    expect(new TextDecoder().decode(motd)).toBe("this box was made from a sample image\n");
  });
});
