import { linkSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { openFile } from "@box/io/node";
import { allowList, openImage, overlayBytes } from "@box/qcow2";
import { openImageFile, withinDirectory } from "@box/qcow2/node";
import { describe, expect, it } from "vitest";
import { temporaryFolder } from "../support/qemu.ts";

function writeOverlay(path: string, backingName: string, backingFormat: "raw" | "qcow2"): void {
  writeFileSync(path, overlayBytes({ virtualSizeBytes: 65536, backingName, backingFormat }));
}

/** Images of which each is backed by the next one, and the last one by this name. */
function writeChain(folder: string, members: number, lastName: string): string {
  for (let index = 0; index < members; index++) {
    const next = index === members - 1 ? lastName : `${index + 1}.qcow2`;
    writeOverlay(join(folder, `${index}.qcow2`), next, "qcow2");
  }
  return join(folder, "0.qcow2");
}

describe.for([1, 2, 3])("a loop of %i images", (members) => {
  it.for(["the name of the first", "a hard link", "a symbolic link", "a way through a folder"])(
    "is refused when it closes by %s",
    async (how) => {
      using folder = temporaryFolder();
      mkdirSync(join(folder.path, "sub"));
      const name = how === "the name of the first" ? "0.qcow2" : "sub/../other.qcow2";
      const top = writeChain(folder.path, members, name);
      const other = join(folder.path, "other.qcow2");
      if (how === "a hard link") linkSync(top, other);
      else symlinkSync(top, other);
      const opening = openImageFile(top, { backing: withinDirectory(folder.path) });
      await expect(opening).rejects.toMatchObject({ code: "QCOW2_BACKING_CYCLE" });
    },
  );

  it("is refused when it closes behind the first image", async () => {
    using folder = temporaryFolder();
    const first = writeChain(folder.path, members, "0.qcow2");
    const top = join(folder.path, "top.qcow2");
    writeOverlay(top, "0.qcow2", "qcow2");
    linkSync(first, join(folder.path, "again.qcow2"));
    const opening = openImageFile(top, { backing: withinDirectory(folder.path) });
    await expect(opening).rejects.toMatchObject({ code: "QCOW2_BACKING_CYCLE" });
  });
});

describe("a relative backing name", () => {
  it("is opened by allowList when it is listed byte for byte, whatever its path means", async () => {
    using folder = temporaryFolder();
    mkdirSync(join(folder.path, "a"));
    writeFileSync(join(folder.path, "base.raw"), "x");
    const top = join(folder.path, "a", "top.qcow2");
    writeOverlay(top, "../base.raw", "raw");
    const open = async () => ({ source: await openFile(join(folder.path, "base.raw")) });
    const source = await openFile(top);
    try {
      await using image = await openImage(source, {
        backing: allowList([{ name: "../base.raw", open }]),
      });
      expect((await image.read(0, 1))[0]).toBe(0x78);
      const other = allowList([
        { name: "base.raw", open },
        { name: "./../base.raw", open },
      ]);
      await expect(openImage(source, { backing: other })).rejects.toMatchObject({
        code: "QCOW2_BACKING_DENIED",
      });
    } finally {
      await source.close();
    }
  });

  it("is taken from the root when nobody knows where the image is", async () => {
    using folder = temporaryFolder();
    writeFileSync(join(folder.path, "base.raw"), "x");
    const path = join(folder.path, "top.qcow2");
    writeOverlay(path, "base.raw", "raw");
    const source = await openFile(path);
    try {
      await using image = await openImage(source, { backing: withinDirectory(folder.path) });
      expect((await image.read(0, 1))[0]).toBe(0x78);
    } finally {
      await source.close();
    }
  });

  it("may lead up and down inside the folder, and not out of it", async () => {
    using folder = temporaryFolder();
    for (const name of ["in", "in/a", "in/b"]) mkdirSync(join(folder.path, name));
    writeFileSync(join(folder.path, "in/b/base.raw"), "x");
    writeFileSync(join(folder.path, "out.raw"), "y");
    const top = join(folder.path, "in/a/top.qcow2");
    const backing = withinDirectory(join(folder.path, "in"));
    writeOverlay(top, "../b/base.raw", "raw");
    await using image = await openImageFile(top, { backing });
    expect((await image.read(0, 1))[0]).toBe(0x78);
    writeOverlay(top, "../../out.raw", "raw");
    await expect(openImageFile(top, { backing })).rejects.toMatchObject({
      code: "QCOW2_BACKING_DENIED",
    });
  });
});
