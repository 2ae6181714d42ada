import { link, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createImage } from "@box/qcow2";
import { openFile, openImageFile, withinDirectory } from "@box/qcow2/node";
import { describe, expect, it, onTestFinished } from "vitest";
import { temporaryFolder } from "../support/qemu.ts";

const inUse = { code: "QCOW2_FILE_IN_USE", kind: "in-use" };

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

describe("a path that cannot be opened", () => {
  const refusals = [
    ["nothing there", "nothing", "r", "QCOW2_FILE_NOT_FOUND", "not-found"],
    ["no folder there", "nothing/disk", "create", "QCOW2_FILE_NOT_FOUND", "not-found"],
    [
      "a file where a new one is to be",
      "disk.qcow2",
      "create",
      "QCOW2_TARGET_NOT_EMPTY",
      "conflict",
    ],
    ["a folder", ".", "r", "QCOW2_IO", "io"],
    ["a link to itself", "loop", "rw", "QCOW2_IO", "io"],
    ["a long name", "n".repeat(256), "r", "QCOW2_IO", "io"],
    ["no path", 7, "r", "QCOW2_INVALID_ARGUMENT", "invalid-argument"],
    ["a path with a NUL", "disk\0", "r", "QCOW2_INVALID_ARGUMENT", "invalid-argument"],
    ["bytes with a NUL", Buffer.from("disk\0"), "r", "QCOW2_INVALID_ARGUMENT", "invalid-argument"],
    ["no mode", "disk.qcow2", "w", "QCOW2_INVALID_ARGUMENT", "invalid-argument"],
  ] as const;

  it.each(refusals)("%s is refused", async (_what, name, mode, code, kind) => {
    const { folder } = await makeImage();
    await symlink("loop", join(folder, "loop"));
    const path = typeof name === "string" ? join(folder, name) : (name as never);
    const refused = openFile(path, { mode: mode as never });
    await expect(refused).rejects.toMatchObject({ name: "Qcow2Error", code, kind });
    if (mode === "create") return;
    const image = openImageFile(path, { mode: mode as never });
    await expect(image).rejects.toMatchObject({ name: "Qcow2Error", code, kind });
  });

  it("is named with the system's reason", async () => {
    const { folder } = await makeImage();
    const path = join(folder, "nothing");
    await expect(openImageFile(path)).rejects.toMatchObject({
      message: `cannot open ${path}: no such file or directory (ENOENT)`,
      details: { path, errno: "ENOENT" },
      hint: "look at the path in the message",
    });
  });
});

describe("a data file that is written", () => {
  it("is not opened for writing by a second image", async () => {
    const { folder } = await makeImage();
    const dataFile = withinDirectory(folder);
    await writeFile(join(folder, "data"), new Uint8Array(2 ** 20));
    for (const name of ["first", "second"]) {
      await using file = await openFile(join(folder, name), { mode: "create" });
      await createImage(file, { virtualSizeBytes: 2 ** 20, dataFile: { name: "data" } });
    }
    const image = await openImageFile(join(folder, "first"), { mode: "rw", dataFile });
    const second = () => openImageFile(join(folder, "second"), { mode: "rw", dataFile });
    await expect(second()).rejects.toMatchObject(inUse);
    await image.close();
    await (await second()).close();
  });
});
