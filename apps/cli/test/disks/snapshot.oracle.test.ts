import { describe, expect, test } from "vitest";
import { output } from "../../src/commands/disk-snapshot/schemas.ts";
import { diskFolder, qemuImg, qemuImgStatus, qemuIo } from "../support/qemu.ts";
import { canRun } from "../support/spawn-box.ts";

describe.skipIf(!canRun("qemu-img", "--version"))("box disk snapshot", () => {
  test("takes, applies and deletes snapshots as qemu-img sees them", async () => {
    const { path, box } = await diskFolder();
    qemuImg(path, "create", "-q", "-f", "qcow2", "a.qcow2", "1M");
    qemuIo(path, "a.qcow2", "write -q -P 1 0 64k");
    qemuImg(path, "convert", "-O", "raw", "a.qcow2", "before.raw");
    const taken = await box("disk", "snapshot", "create", "a.qcow2", "one", "--format", "json");
    const said = JSON.parse(taken.stdout);
    expect(output.parse(said)).toEqual(said);
    expect(said).toMatchObject({ done: "taken", snapshot: { id: "1", name: "one" } });
    qemuIo(path, "a.qcow2", "write -q -P 2 0 64k");
    const same = ["compare", "-F", "raw", "a.qcow2", "before.raw"];
    expect(qemuImgStatus(path, ...same)).toBe(1);
    expect((await box("disk", "snapshot", "apply", "a.qcow2", "one")).exitCode).toBe(0);
    expect(qemuImgStatus(path, ...same)).toBe(0);
    expect((await box("disk", "snapshot", "delete", "-q", "a.qcow2", "one")).stdout).toBe("1\n");
    expect(qemuImg(path, "snapshot", "-l", "a.qcow2")).toBe("");
    expect(qemuImgStatus(path, "check", "a.qcow2")).toBe(0);
    const missing = await box("disk", "snapshot", "delete", "a.qcow2", "one");
    expect(missing.exitCode).toBe(3);
    expect(missing.stderr).toContain("box disk snapshot list");
  });
});
