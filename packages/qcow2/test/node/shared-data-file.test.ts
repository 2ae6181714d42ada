import { linkSync, readFileSync, renameSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { commitImage, rebaseImage } from "@box/qcow2";
import { openFile, openImageFile, withinDirectory } from "@box/qcow2/node";
import { describe, expect, it } from "vitest";
import { hasQemuImg, qemuImg, temporaryFolder } from "../support/qemu.ts";

const size = String(4 * 2 ** 20);
const refused = { code: "QCOW2_DATA_FILE_SHARED", kind: "denied" };

/** Makes `name`, whose data is in a file that is named with as many letters as `dataFile`, which it then names instead. */
function makeImage(folder: string, name: string, dataFile: string, ...more: string[]): string {
  const other = "z".repeat(dataFile.length);
  const options = ["-o", [`data_file=${other}`, ...more].join(",")];
  qemuImg(folder, "create", "-q", "-f", "qcow2", ...options, name, size);
  const bytes = readFileSync(join(folder, name));
  bytes.set(Buffer.from(dataFile), bytes.indexOf(other));
  writeFileSync(join(folder, name), bytes);
  return join(folder, name);
}

describe.skipIf(!hasQemuImg)("a data file that is something else as well", () => {
  it.for(["r", "rw"] as const)(
    "is refused when it is the image itself, opened %s",
    async (mode) => {
      using folder = temporaryFolder();
      const path = makeImage(folder.path, "self.qcow2", "self.qcow2");
      const before = readFileSync(path);
      const allowed = withinDirectory(folder.path);
      await expect(openImageFile(path, { mode, dataFile: allowed })).rejects.toMatchObject(refused);
      expect(readFileSync(path)).toEqual(before);
    },
  );

  it.for([
    ["a hard link", linkSync],
    ["a symbolic link", symlinkSync],
  ] as const)("is refused when it is the image by %s", async ([, link]) => {
    using folder = temporaryFolder();
    const path = makeImage(folder.path, "i.qcow2", "link.qcow2");
    link(path, join(folder.path, "link.qcow2"));
    const opening = openImageFile(path, { mode: "rw", dataFile: withinDirectory(folder.path) });
    await expect(opening).rejects.toMatchObject(refused);
  });

  it.for(["qcow2", "raw"] as const)(
    "is refused when it is a %s file below the image, which stays as it is",
    async (format) => {
      using folder = temporaryFolder();
      qemuImg(folder.path, "create", "-q", "-f", format, "base", size);
      const backing = ["backing_file=base", `backing_fmt=${format}`];
      const path = makeImage(folder.path, "top.qcow2", "base", ...backing);
      const before = readFileSync(join(folder.path, "base"));
      const allowed = withinDirectory(folder.path);
      const opening = openImageFile(path, { mode: "rw", backing: allowed, dataFile: allowed });
      await expect(opening).rejects.toMatchObject(refused);
      expect(readFileSync(join(folder.path, "base"))).toEqual(before);
    },
  );

  it("is refused when an image below has its data in it too", async () => {
    using folder = temporaryFolder();
    qemuImg(folder.path, "create", "-q", "-f", "qcow2", "-o", "data_file=d.raw", "base", size);
    const backing = ["backing_file=base", "backing_fmt=qcow2"];
    const path = makeImage(folder.path, "top.qcow2", "d.raw", ...backing);
    const allowed = withinDirectory(folder.path);
    const opening = openImageFile(path, { mode: "rw", backing: allowed, dataFile: allowed });
    await expect(opening).rejects.toMatchObject(refused);
  });

  it("is not made the backing file by a rebase", async () => {
    using folder = temporaryFolder();
    qemuImg(folder.path, "create", "-q", "-f", "raw", "base", size);
    const backing = ["backing_file=base", "backing_fmt=raw"];
    const path = makeImage(folder.path, "top.qcow2", "d.raw", ...backing);
    renameSync(join(folder.path, "zzzzz"), join(folder.path, "d.raw"));
    const before = readFileSync(path);
    await using file = await openFile(path, { mode: "rw" });
    const allowed = withinDirectory(folder.path);
    const rebasing = rebaseImage(file, {
      newBacking: { name: "d.raw", format: "raw" },
      backing: allowed,
      dataFile: allowed,
      location: path,
    });
    await expect(rebasing).rejects.toMatchObject(refused);
    expect(readFileSync(path)).toEqual(before);
  });

  it("is no target of a commit", async () => {
    using folder = temporaryFolder();
    qemuImg(folder.path, "create", "-q", "-f", "raw", "base", size);
    const backing = ["backing_file=base", "backing_fmt=raw"];
    const path = makeImage(folder.path, "top.qcow2", "base", ...backing);
    const before = readFileSync(path);
    await using file = await openFile(path, { mode: "rw" });
    const allowed = withinDirectory(folder.path);
    const options = { target: allowed, backing: allowed, dataFile: allowed, location: path };
    await expect(commitImage(file, options)).rejects.toMatchObject(refused);
    expect(readFileSync(path)).toEqual(before);
    expect(readFileSync(join(folder.path, "base"))).toEqual(Buffer.alloc(Number(size)));
  });
});
