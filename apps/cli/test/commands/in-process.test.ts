import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { MemoryFile } from "@box/io";
import { type CreateImageOptions, createImage } from "@box/qcow2";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { runBoxHere } from "../support/run-box.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "box-cli-commands-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const box = (...argv: string[]) =>
  runBoxHere(["--home", join(folder, "home"), ...argv], { cwd: folder });

async function imageFile(name: string, options: CreateImageOptions): Promise<void> {
  const target = new MemoryFile();
  await createImage(target, options);
  await writeFile(join(folder, name), target.toBytes());
}

describe("box disk info", () => {
  test("says what a plain image is, and nothing that it has not", async () => {
    await imageFile("a.qcow2", { virtualSizeBytes: 2 ** 30 });
    const { stdout, exitCode } = await box("disk", "info", "a.qcow2");
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(/format +qcow2 version 3/);
    expect(stdout).toMatch(/virtual size +1 GiB \(1073741824 bytes\)/);
    expect(stdout).not.toMatch(/backing|snapshots|marks|encryption/);
  });

  test("says what an overlay stands on, how it compresses and which features it has", async () => {
    await imageFile("b.qcow2", {
      virtualSizeBytes: 2 ** 30,
      compressionType: "zstd",
      hasExtendedL2: true,
      backing: { name: "/base.ext4", format: "raw" },
    });
    const { stdout } = await box("disk", "info", "b.qcow2");
    expect(stdout).toMatch(/backing +\/base\.ext4 \(raw\)/);
    expect(stdout).toMatch(/compression +zstd/);
    expect(stdout).toMatch(/marks +extended L2/);
  });

  test("takes a raw file as raw only when told so", async () => {
    await writeFile(join(folder, "c.raw"), new Uint8Array(4096));
    expect((await box("disk", "info", "c.raw")).exitCode).toBe(5);
    const raw = await box("disk", "info", "-f", "raw", "c.raw");
    expect(raw.stdout).toMatch(/format +raw\n/);
    const qemu = await box("disk", "info", "-f", "raw", "c.raw", "--format", "qemu-json");
    expect(JSON.parse(qemu.stdout)).toMatchObject({ format: "raw", "virtual-size": 4096 });
  });
});

describe("box help", () => {
  test("shows a command and a group, and refuses what there is not", async () => {
    expect((await box("help", "disk", "info")).stdout).toContain("usage: box disk info");
    expect((await box("help", "disk")).stdout).toContain("info");
    expect((await box("help", "disk", "frob")).exitCode).toBe(2);
  });
});

describe("box serve", () => {
  test("refuses a key file that is not there or holds no key, before it listens", async () => {
    const missing = await box("serve", "--api-key-file", "none");
    expect(missing).toMatchObject({ exitCode: 2, stdout: "" });
    expect(missing.stderr).toContain("cannot read none");
    await writeFile(join(folder, "key"), "two words\n");
    const words = await box("serve", "--api-key-file", "key");
    expect(words).toMatchObject({ exitCode: 2, stdout: "" });
    expect(words.stderr).toContain("not a key of visible ASCII characters");
  });

  test("refuses an address that is not one, and a grace period that is no time", async () => {
    expect((await box("serve", "--listen", "nowhere")).exitCode).toBe(2);
    expect((await box("serve", "--shutdown-grace", "soon")).exitCode).toBe(2);
  });
});

describe("box rm", () => {
  test("tells each box that is not there, unless forced", async () => {
    const refused = await box("rm", "a", "b");
    expect(refused.exitCode).toBe(3);
    expect(refused.stderr.match(/BOX_NOT_FOUND\]/g)).toHaveLength(2);
    expect(await box("rm", "--force", "a")).toMatchObject({ exitCode: 0, stderr: "" });
  });
});

describe("box images and ls", () => {
  test("have nothing in a new home", async () => {
    expect((await box("images", "--format", "json")).stdout).toBe("[]\n");
    expect((await box("ls", "-q")).stdout).toBe("");
  });
});

describe("sizes", () => {
  test.each(["0", "1X", "-1", "1.5", "9999999999999999T"])("refuse %s", async (size) => {
    const build = await box("rootfs", "build", "oci:none:x", "-o", "f", "--size", size);
    expect(build).toMatchObject({ exitCode: 2, stdout: "" });
    expect(build.stderr).toContain("not a size");
  });
});
