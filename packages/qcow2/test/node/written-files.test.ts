import { link, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createImage } from "@box/qcow2";
import { openFile, openImageFile } from "@box/qcow2/node";
import { describe, expect, it, onTestFinished } from "vitest";
import { temporaryFolder } from "../support/qemu.ts";

const inUse = { code: "IO_LOCK_HELD", kind: "in-use" };

async function makeImage(): Promise<{ path: string; folder: string }> {
  const made = temporaryFolder();
  onTestFinished(() => made[Symbol.dispose]());
  const folder = made.path;
  const path = join(folder, "disk.qcow2");
  await using file = await openFile(path, { mode: "create" });
  await createImage(file, { virtualSizeBytes: 2 ** 20 });
  return { path, folder };
}

describe("a file that is open for writing", () => {
  it("is not opened for writing again, under no name, before it is closed", async () => {
    const { path, folder } = await makeImage();
    await link(path, join(folder, "hard"));
    await symlink(path, join(folder, "soft"));
    const image = await openImageFile(path, { mode: "rw" });
    for (const name of ["disk.qcow2", "hard", "soft"]) {
      await expect(openImageFile(join(folder, name), { mode: "rw" })).rejects.toMatchObject(inUse);
      await expect(openFile(join(folder, name), { mode: "rw" })).rejects.toMatchObject(inUse);
    }
    await image.close();
    await image.close();
    await using again = await openImageFile(path, { mode: "rw" });
    await again.write(0, new Uint8Array(512));
    await expect(openFile(path, { mode: "rw" })).rejects.toMatchObject(inUse);
  });

  it("can be read, and other files can be written", async () => {
    const { path, folder } = await makeImage();
    await using image = await openImageFile(path, { mode: "rw" });
    await using reader = await openImageFile(path);
    expect(await reader.read(0, 1)).toEqual(new Uint8Array(1));
    await using other = await openFile(join(folder, "other"), { mode: "create" });
    await other.write?.(0, new Uint8Array(1));
    expect(image.sizeBytes).toBe(2 ** 20);
  });

  it("stays so after a second writer was refused, and is free after an image that cannot be opened", async () => {
    const { path, folder } = await makeImage();
    const bad = join(folder, "bad");
    await writeFile(bad, new Uint8Array(4096));
    for (const _ of [1, 2]) {
      const refused = openImageFile(bad, { mode: "rw" });
      await expect(refused).rejects.toMatchObject({ code: "QCOW2_BAD_MAGIC" });
    }
    await using image = await openImageFile(path, { mode: "rw" });
    for (const _ of [1, 2]) {
      await expect(openImageFile(path, { mode: "rw" })).rejects.toMatchObject(inUse);
    }
    expect(image.sizeBytes).toBe(2 ** 20);
  });
});
