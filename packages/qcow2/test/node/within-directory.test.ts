import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { MemoryFile } from "@box/io";
import { createOverlay, overlayBytes } from "@box/qcow2";
import { openImageFile, withinDirectory } from "@box/qcow2/node";
import { describe, expect, it } from "vitest";
import { temporaryFolder } from "../support/qemu.ts";

async function overlayOn(
  folder: string,
  backingName: string | Uint8Array,
  format: "raw" | "qcow2" = "raw",
): Promise<string> {
  const target = new MemoryFile();
  await createOverlay(target, { virtualSizeBytes: 65536, backingName, backingFormat: format });
  const path = join(folder, "overlay.qcow2");
  writeFileSync(path, target.toBytes());
  return path;
}

async function firstByte(path: string, root: string): Promise<number | undefined> {
  await using image = await openImageFile(path, { backing: withinDirectory(root) });
  return (await image.read(0, 1))[0];
}

describe("withinDirectory", () => {
  it.for(["base.raw", "./base.raw", "sub/../base.raw"])(
    "opens %s below the folder",
    async (name) => {
      using folder = temporaryFolder();
      mkdirSync(join(folder.path, "sub"));
      writeFileSync(join(folder.path, "base.raw"), "x");
      expect(await firstByte(await overlayOn(folder.path, name), folder.path)).toBe(0x78);
    },
  );

  it("opens an absolute path below the folder", async () => {
    using folder = temporaryFolder();
    const base = join(folder.path, "base.raw");
    writeFileSync(base, "x");
    expect(await firstByte(await overlayOn(folder.path, base), folder.path)).toBe(0x78);
  });

  it("refuses a folder whose name only begins like that of the allowed one", async () => {
    using folder = temporaryFolder();
    const [images, others] = ["images", "images-of-others"].map((name) => {
      mkdirSync(join(folder.path, name));
      return join(folder.path, name);
    });
    if (images === undefined || others === undefined) throw new Error("two folders were made");
    writeFileSync(join(others, "base.raw"), "x");
    const top = await overlayOn(images, "../images-of-others/base.raw");
    await expect(firstByte(top, images)).rejects.toMatchObject({ code: "QCOW2_BACKING_DENIED" });
  });

  it("takes relative names from the folder of the image that holds them", async () => {
    using folder = temporaryFolder();
    const sub = join(folder.path, "sub");
    mkdirSync(sub);
    writeFileSync(join(sub, "base.raw"), "x");
    const middle = overlayBytes({
      virtualSizeBytes: 65536,
      backingName: "base.raw",
      backingFormat: "raw",
    });
    writeFileSync(join(sub, "middle.qcow2"), middle);
    const top = await overlayOn(folder.path, "sub/middle.qcow2", "qcow2");
    expect(await firstByte(top, folder.path)).toBe(0x78);
  });

  it.for(["../outside.raw", "/etc/passwd", "link.raw", "linked/outside.raw"])(
    "refuses %s, which is outside",
    async (name) => {
      using folder = temporaryFolder();
      const root = join(folder.path, "root");
      mkdirSync(root);
      writeFileSync(join(folder.path, "outside.raw"), "secret");
      symlinkSync("../outside.raw", join(root, "link.raw"));
      symlinkSync("..", join(root, "linked"));
      const path = await overlayOn(root, name);
      await expect(firstByte(path, root)).rejects.toMatchObject({
        code: "QCOW2_BACKING_DENIED",
        kind: "denied",
      });
    },
  );

  it.for(['json:{"driver":"raw"}', "nbd:localhost:1", "file:base.raw", "nothing.raw"])(
    "takes %s for a file name that does not exist",
    async (name) => {
      using folder = temporaryFolder();
      writeFileSync(join(folder.path, "base.raw"), "x");
      await expect(
        firstByte(await overlayOn(folder.path, name), folder.path),
      ).rejects.toMatchObject({
        code: "QCOW2_BACKING_MISSING",
        kind: "backing-missing",
      });
    },
  );

  it("refuses a name that is not UTF-8", async () => {
    using folder = temporaryFolder();
    const path = await overlayOn(folder.path, new Uint8Array([0xff]));
    await expect(firstByte(path, folder.path)).rejects.toMatchObject({ kind: "denied" });
  });

  it("reports a folder in place of the backing file as I/O, not as missing", async () => {
    using folder = temporaryFolder();
    mkdirSync(join(folder.path, "base.raw"));
    const path = await overlayOn(folder.path, "base.raw");
    await expect(firstByte(path, folder.path)).rejects.toMatchObject({ kind: "io" });
  });
});

describe("openImageFile", () => {
  it("says not-found for a path that does not exist", async () => {
    await expect(openImageFile("/nonexistent/image.qcow2")).rejects.toMatchObject({
      kind: "not-found",
    });
  });

  it("refuses reads after it was closed", async () => {
    using folder = temporaryFolder();
    writeFileSync(join(folder.path, "base.raw"), "x");
    const path = await overlayOn(folder.path, "base.raw");
    const image = await openImageFile(path, { backing: withinDirectory(folder.path) });
    await image.close();
    await image.close();
    await expect(image.read(0, 1)).rejects.toMatchObject({ code: "QCOW2_INVALID_ARGUMENT" });
  });
});
