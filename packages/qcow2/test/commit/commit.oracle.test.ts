import { chmodSync, copyFileSync, mkdirSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { openFile } from "@box/io/node";
import { commitImage, compareImages } from "@box/qcow2";
import { openImageFile, withinDirectory } from "@box/qcow2/node";
import { describe, expect, it } from "vitest";
import { allOf } from "../support/all-of.ts";
import { hasQemuImg, qemuImg, qemuIo, qemuVerdict, temporaryFolder } from "../support/qemu.ts";

/** An overlay `i.qcow2` on a base file, and what it reads as. */
function makeChain(
  folder: string,
  format: string,
  options: string,
  sizes: readonly string[],
): void {
  const [baseSize = "", size = ""] = sizes;
  writeFileSync(join(folder, "deep.raw"), new Uint8Array(3 * 2 ** 20 + 512).fill(5, 2 ** 19));
  const on = format === "qcow2" ? ["-b", "deep.raw", "-F", "raw", "-o", options] : [];
  qemuImg(folder, "create", "-q", "-f", format, ...on, "base", baseSize);
  qemuIo(folder, "base", "-f", format, "write -q -P 6 0 100k", "write -q -P 9 2M 512k");
  const backed = ["-b", "base", "-F", format, "-o", options];
  qemuImg(folder, "create", "-q", "-f", "qcow2", ...backed, "i.qcow2", size);
  const compressed = options.includes("2M") ? "write -q -P 2 3M 64k" : "write -q -c -P 2 3M 64k";
  qemuIo(folder, "i.qcow2", "write -q -P 7 700k 99k", "write -q -z 2M 128k", compressed);
  qemuImg(folder, "convert", "-f", "qcow2", "-O", "raw", "i.qcow2", "flat.raw");
}

const layouts = [
  "compat=1.1",
  "compat=0.10",
  "cluster_size=4k,refcount_bits=1",
  "extended_l2=on",
  "cluster_size=2M",
];
const sizes = [
  ["4M", "4M"],
  ["4M", "5M"],
  ["6M", "4M"],
] as const;
const cases = layouts.flatMap((options, index) =>
  (["raw", "qcow2"] as const).map((format, side) => ({
    options,
    format,
    sizes: sizes[(index + side) % 3] ?? sizes[0],
  })),
);

describe.skipIf(!hasQemuImg)("commitImage, beside qemu-img commit", () => {
  it.for(cases)("$options on $format of $sizes", async ({ options, format, sizes: sized }) => {
    using folder = temporaryFolder();
    makeChain(folder.path, format, options, sized);
    const theirs = join(folder.path, "theirs");
    mkdirSync(theirs);
    for (const name of readdirSync(folder.path).filter((name) => name !== "theirs")) {
      copyFileSync(join(folder.path, name), join(theirs, name));
    }
    const path = join(folder.path, "i.qcow2");
    {
      const resolver = withinDirectory(folder.path);
      await using file = await openFile(path, { mode: "rw" });
      await commitImage(file, { target: resolver, backing: resolver, location: path });
    }
    // QEMU 7.2 cannot make a version 2 base larger where a longer file below it would show.
    qemuImg(theirs, "commit", "-q", "-f", "qcow2", "i.qcow2");
    for (const name of ["i.qcow2", "base"]) chmodSync(join(folder.path, name), 0o644);
    expect(qemuVerdict(folder.path, "i.qcow2")).toBe("clean");
    if (format === "qcow2") expect(qemuVerdict(folder.path, "base")).toBe("clean");
    const same = (a: string, formatA: string, b: string, formatB: string) =>
      expect(qemuImg(folder.path, "compare", "-f", formatA, "-F", formatB, a, b)).toBe(
        "Images are identical.\n",
      );
    same("i.qcow2", "qcow2", "flat.raw", "raw");
    same("base", format, "theirs/base", format);
    const map = (name: string): { depth: number; present: boolean }[] =>
      JSON.parse(qemuImg(folder.path, "map", "--output=json", "-f", "qcow2", name));
    expect(map("i.qcow2").filter(({ depth, present }) => depth === 0 && present)).toEqual([]);
    expect(statSync(path).size).toBeLessThanOrEqual(6 * 2 ** 21);
    // What QEMU committed reads the same here.
    const backing = withinDirectory(theirs);
    await using committed = await openImageFile(join(theirs, "i.qcow2"), { backing });
    await using flat = await openFile(join(folder.path, "flat.raw"));
    expect(await compareImages(committed, flat)).toEqual({ isIdentical: true, hasSameSize: true });
  });

  it("keeps the snapshots of the image that it empties", async () => {
    using folder = temporaryFolder();
    makeChain(folder.path, "qcow2", "compat=1.1", ["4M", "4M"]);
    qemuImg(folder.path, "snapshot", "-c", "one", "i.qcow2");
    qemuIo(folder.path, "i.qcow2", "write -q -P 11 600k 200k", "write -q -P 12 3M 4k");
    qemuImg(folder.path, "convert", "-f", "qcow2", "-O", "raw", "i.qcow2", "flat.raw");
    qemuImg(folder.path, "convert", "-l", "one", "-O", "raw", "i.qcow2", "one.raw");
    const path = join(folder.path, "i.qcow2");
    {
      const resolver = withinDirectory(folder.path);
      await using file = await openFile(path, { mode: "rw" });
      await commitImage(file, { target: resolver, backing: resolver, location: path });
    }
    for (const name of ["i.qcow2", "base"]) chmodSync(join(folder.path, name), 0o644);
    expect(qemuVerdict(folder.path, "i.qcow2")).toBe("clean");
    const compare = ["compare", "-f", "qcow2", "-F", "raw"];
    expect(qemuImg(folder.path, ...compare, "i.qcow2", "flat.raw")).toContain("identical");
    // What the snapshot stores itself is still there.
    qemuImg(folder.path, "snapshot", "-a", "one", "i.qcow2");
    qemuIo(
      folder.path,
      "i.qcow2",
      "read -q -P 7 700k 99k",
      "read -q -P 0 2M 128k",
      "read -q -P 2 3M 64k",
    );
  });
});

it.skipIf(!hasQemuImg)("commitImage leaves the bitmaps that qemu-img commit leaves", async () => {
  using folder = temporaryFolder();
  const at = (...names: string[]): string => join(folder.path, ...names);
  for (const who of ["ours", "theirs"]) {
    mkdirSync(at(who));
    makeChain(at(who), "qcow2", "compat=1.1", ["4M", "4M"]);
    qemuImg(at(who), "bitmap", "--add", "-g", "64k", "base", "backup");
    qemuImg(at(who), "bitmap", "--add", "--disable", "base", "off");
  }
  {
    await using file = await openFile(at("ours", "i.qcow2"), { mode: "rw" });
    const resolver = withinDirectory(at("ours"));
    const location = at("ours", "i.qcow2");
    await commitImage(file, { location, target: resolver, backing: resolver });
  }
  qemuImg(at("theirs"), "commit", "-q", "-f", "qcow2", "i.qcow2");
  const ranges = async (who: string, name: string): Promise<unknown[]> => {
    const backing = withinDirectory(at(who));
    await using image = await openImageFile(at(who, "base"), { backing });
    return await allOf(image.dirtyRanges(name));
  };
  expect(await ranges("ours", "backup")).toEqual(await ranges("theirs", "backup"));
  expect((await ranges("ours", "backup")).length).toBeGreaterThan(2);
  expect(await ranges("ours", "off")).toEqual([]);
  expect(qemuVerdict(at("ours"), "base")).toBe("clean");
});
