import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { output } from "../../src/commands/disk-compare/schemas.ts";
import { diskFolder, qemuImg, qemuImgStatus, qemuIo } from "../support/qemu.ts";
import { canRun } from "../support/spawn-box.ts";
import { diskMatrix } from "./image-matrix.ts";

const hasQemu = canRun("qemu-img", "--version");

describe.skipIf(!hasQemu).each(diskMatrix)(
  "box disk measure of $name",
  ({ format = "qcow2", make }) => {
    test.each(["raw", "qcow2"])("for %s is what qemu-img says", async (to) => {
      const { path, box } = await diskFolder();
      make(path);
      const flags = ["-f", format, "-O", to, "d.img"];
      const ours = await box("disk", "measure", ...flags, "--format", "qemu-json");
      const theirs = qemuImg(path, "measure", "--output=json", ...flags);
      expect(JSON.parse(ours.stdout)).toEqual(JSON.parse(theirs));
    });
  },
);

describe.skipIf(!hasQemu)("box disk measure", () => {
  test("measures a new disk, and wants a file or a size", async () => {
    const { path, box } = await diskFolder();
    const flags = ["-O", "qcow2", "--cluster-size", "4KiB", "--size", "10G"];
    const ours = await box("disk", "measure", ...flags, "--format", "qemu-json");
    const theirs = ["-O", "qcow2", "-o", "cluster_size=4k", "--size", "10G"];
    expect(JSON.parse(ours.stdout)).toEqual(
      JSON.parse(qemuImg(path, "measure", "--output=json", ...theirs)),
    );
    expect((await box("disk", "measure", ...flags)).stdout).toMatch(/fully allocated +10/);
    expect((await box("disk", "measure")).exitCode).toBe(2);
    expect((await box("disk", "measure", "d.img", "--size", "1")).exitCode).toBe(2);
    expect((await box("disk", "measure", "--size", "much")).stderr).toContain("--size: not a size");
  });
});

describe.skipIf(!hasQemu)("box disk compare", () => {
  test("ends as qemu-img does: 0 when identical, 1 when different", async () => {
    const { path, box } = await diskFolder();
    qemuImg(path, "create", "-q", "-f", "qcow2", "a.qcow2", "4M");
    qemuIo(path, "a.qcow2", "write -q -P 5 1M 64k");
    qemuImg(path, "convert", "-O", "raw", "a.qcow2", "same.raw");
    qemuImg(path, "convert", "-O", "raw", "a.qcow2", "longer.raw");
    qemuImg(path, "resize", "-q", "-f", "raw", "longer.raw", "5M");
    qemuImg(path, "convert", "-O", "raw", "a.qcow2", "other.raw");
    qemuIo(path, "other.raw", "write -q -P 6 1050000 1");
    for (const name of ["same", "longer", "other"]) {
      for (const strict of [[], ["-s"]]) {
        const flags = ["-f", "qcow2", "-F", "raw", ...strict, "a.qcow2", `${name}.raw`];
        const { exitCode } = await box("disk", "compare", ...flags);
        const isKnownToQemu = name !== "same" || strict.length === 0;
        if (isKnownToQemu) expect(exitCode).toBe(qemuImgStatus(path, "compare", ...flags));
      }
    }
    const json = ["disk", "compare", "-F", "raw", "a.qcow2", "other.raw", "--format", "json"];
    const said = JSON.parse((await box(...json)).stdout);
    expect(output.parse(said)).toEqual(said);
    expect(said).toMatchObject({ isIdentical: false, difference: "content", offset: 1_050_000 });
  });

  test("names the file that cannot be read, and ends with its code", async () => {
    const { path, box } = await diskFolder();
    qemuImg(path, "create", "-q", "-f", "qcow2", "a.qcow2", "1M");
    writeFileSync(join(path, "text"), "text".repeat(200));
    const run = await box("disk", "compare", "a.qcow2", "text");
    expect(run).toMatchObject({ exitCode: 5, stdout: "" });
    expect(run.stderr).toContain("QCOW2_BAD_MAGIC]: text: ");
    expect((await box("disk", "compare", "a.qcow2", "nope")).exitCode).toBe(3);
  });
});
