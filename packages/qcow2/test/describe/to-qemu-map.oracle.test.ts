import { join } from "node:path";
import { toQemuMap } from "@box/qcow2";
import { openImageFile, withinDirectory } from "@box/qcow2/node";
import { describe, expect, it } from "vitest";
import { fillHoles } from "../support/fill-holes.ts";
import { imageMatrix } from "../support/image-matrix.ts";
import { hasQemuImg, qemuMap, temporaryFolder } from "../support/qemu.ts";

describe.skipIf(!hasQemuImg)("toQemuMap equals qemu-img map", () => {
  it.for(imageMatrix)("$name", async ({ make, openArguments }) => {
    using folder = temporaryFolder();
    make(folder.path);
    fillHoles(folder.path);
    await using image = await openImageFile(join(folder.path, "i.qcow2"), {
      backing: withinDirectory(folder.path),
      dataFile: withinDirectory(folder.path),
      passphrase: "pass",
    });
    const theirs = qemuMap(folder.path, openArguments ?? ["-f", "qcow2", "i.qcow2"]);
    expect(await toQemuMap(image)).toEqual(theirs);
  });
});
