import { join } from "node:path";
import { openFile } from "@box/io/node";
import { checkImage, toQemuCheck } from "@box/qcow2";
import { describe, expect, it } from "vitest";
import { imageMatrix } from "../support/image-matrix.ts";
import { hasQemuImg, qemuCheck, temporaryFolder } from "../support/qemu.ts";

describe.skipIf(!hasQemuImg)("checkImage counts as qemu-img check does", () => {
  it.for(imageMatrix)("$name", async ({ make, openArguments }) => {
    using folder = temporaryFolder();
    make(folder.path);
    await using file = await openFile(join(folder.path, "i.qcow2"));
    const report = await checkImage(file);
    const theirs = qemuCheck(folder.path, openArguments ?? ["-f", "qcow2", "i.qcow2"]).json;
    expect(toQemuCheck(report, String(theirs?.["filename"]))).toEqual(theirs);
    expect(report.errorCount).toBe(0);
  });
});
