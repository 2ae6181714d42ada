import { chmodSync, copyFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { openFile } from "@box/io/node";
import { compareImages, inspectImage, rebaseImage } from "@box/qcow2";
import { openImageFile, withinDirectory } from "@box/qcow2/node";
import { describe, expect, it } from "vitest";
import { hasQemuImg, qemuImg, qemuIo, qemuVerdict, temporaryFolder } from "../support/qemu.ts";

/** Two base disks that differ, a raw and a qcow2 one, and an overlay `i.qcow2` on the first. */
function makeChain(folder: string, options: string): void {
  writeFileSync(join(folder, "old.raw"), new Uint8Array(3 * 2 ** 20 + 512).fill(5, 2 ** 19));
  qemuImg(folder, "create", "-q", "-f", "qcow2", "deep.qcow2", "6M");
  qemuIo(folder, "deep.qcow2", "write -q -P 5 512k 1M", "write -q -P 8 5M 64k");
  qemuImg(folder, "create", "-q", "-f", "qcow2", "-b", "deep.qcow2", "-F", "qcow2", "new.qcow2");
  qemuIo(folder, "new.qcow2", "write -q -P 6 0 100k", "write -q -z 1M 64k");
  const backed = ["-b", "old.raw", "-F", "raw", "-o", `lazy_refcounts=off${options}`];
  qemuImg(folder, "create", "-q", "-f", "qcow2", ...backed, "i.qcow2", "5M");
  qemuIo(folder, "i.qcow2", "write -q -P 7 700k 99k", "write -q -z 2M 128k", "write -q -P 4 4M 4k");
  qemuImg(folder, "convert", "-f", "qcow2", "-O", "raw", "i.qcow2", "flat.raw");
}

const layouts = ["", ",compat=0.10", ",cluster_size=512", ",extended_l2=on", ",cluster_size=2M"];
const targets = [
  { name: "new.qcow2", format: "qcow2" },
  { name: "deep.qcow2", format: "qcow2" },
  null,
] as const;
const cases = layouts.flatMap((options) => targets.map((target) => ({ options, target })));

describe.skipIf(!hasQemuImg)("rebaseImage, beside qemu-img rebase", () => {
  it.for(cases)("$options to $target.name", async ({ options, target }) => {
    using folder = temporaryFolder();
    makeChain(folder.path, options);
    copyFileSync(join(folder.path, "i.qcow2"), join(folder.path, "q.qcow2"));
    const resolver = withinDirectory(folder.path);
    const path = join(folder.path, "i.qcow2");
    {
      await using file = await openFile(path, { mode: "rw" });
      await rebaseImage(file, { newBacking: target, backing: resolver, location: path });
    }
    chmodSync(path, 0o644);
    const to = target === null ? ["-b", ""] : ["-b", target.name, "-F", target.format];
    qemuImg(folder.path, "rebase", "-f", "qcow2", ...to, "q.qcow2");
    expect(qemuVerdict(folder.path, "i.qcow2")).toBe("clean");
    for (const [image, format] of [
      ["flat.raw", "raw"],
      ["q.qcow2", "qcow2"],
    ] as const) {
      const compare = ["compare", "-f", "qcow2", "-F", format, "i.qcow2", image];
      expect(qemuImg(folder.path, ...compare)).toContain("identical");
    }
    const info = (name: string) => JSON.parse(qemuImg(folder.path, "info", "--output=json", name));
    const named = ["backing-filename", "backing-filename-format", "full-backing-filename"];
    const [ours, theirs] = [info("i.qcow2"), info("q.qcow2")];
    expect(named.map((key) => ours[key])).toEqual(named.map((key) => theirs[key]));
    // What QEMU rebased reads the same here.
    await using rebased = await openImageFile(join(folder.path, "q.qcow2"), { backing: resolver });
    await using flat = await openFile(join(folder.path, "flat.raw"));
    expect(await compareImages(rebased, flat)).toEqual({ isIdentical: true, hasSameSize: true });
  });

  it.for(layouts.filter((options) => !options.includes("512")))(
    "changes the header alone as it does with -u%s",
    async (options) => {
      using folder = temporaryFolder();
      makeChain(folder.path, options);
      copyFileSync(join(folder.path, "i.qcow2"), join(folder.path, "q.qcow2"));
      for (const target of [{ name: "deep.qcow2", format: "qcow2" }, null]) {
        await using file = await openFile(join(folder.path, "i.qcow2"), { mode: "rw" });
        await rebaseImage(file, { newBacking: target, isUnsafe: true });
        const to = target === null ? ["-b", ""] : ["-b", target.name, "-F", target.format];
        qemuImg(folder.path, "rebase", "-u", "-f", "qcow2", ...to, "q.qcow2");
        await using other = await openFile(join(folder.path, "q.qcow2"));
        const [ours, theirs] = [await inspectImage(file), await inspectImage(other)];
        expect(ours.backing?.name).toBe(theirs.backing?.name);
        expect(ours.backing?.format).toBe(theirs.backing?.format);
        expect(qemuVerdict(folder.path, "i.qcow2")).toBe("clean");
      }
    },
  );
});
