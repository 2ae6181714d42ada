import { describe, expect, test } from "vitest";
import { diskFolder, qemuImg, qemuImgOutput, qemuImgStatus } from "../support/qemu.ts";
import { canRun } from "../support/spawn-box.ts";
import { diskMatrix } from "./image-matrix.ts";

const hasQemu = canRun("qemu-img", "--version");

describe.skipIf(!hasQemu).each(diskMatrix)("--format qemu-json for $name", (disk) => {
  const { format = "qcow2", make } = disk;

  test("is what qemu-img prints, for info, map and check", async () => {
    const { path, box } = await diskFolder();
    make(path);
    for (const file of ["d.img", `${path}/d.img`]) {
      const ours = await box("disk", "info", "-f", format, file, "--format", "qemu-json");
      const theirs = qemuImg(path, "info", "-f", format, "--output=json", file);
      expect(JSON.parse(ours.stdout)).toEqual(JSON.parse(theirs));
    }
    const map = await box("disk", "map", "-f", format, "d.img", "--format", "qemu-json");
    expect(map.stderr).toBe("");
    const theirMap = qemuImg(path, "map", "-f", format, "--output=json", "d.img");
    expect(JSON.parse(map.stdout)).toEqual(JSON.parse(theirMap));
    const flags = ["-f", format, "d.img", "--format", "qemu-json", "--qemu-exit-codes"];
    const check = await box("disk", "check", ...flags);
    expect(check.exitCode).toBe(qemuImgStatus(path, "check", "-f", format, "d.img"));
    if (format === "raw") return;
    const argv = ["check", "-f", format, "--output=json", "d.img"];
    expect(JSON.parse(check.stdout)).toEqual(JSON.parse(qemuImgOutput(path, ...argv)));
  });
});
