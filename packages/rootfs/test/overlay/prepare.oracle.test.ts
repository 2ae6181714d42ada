import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, readFile, stat, writeFile } from "node:fs/promises";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { lookAt, makeTestDisk, type TestDisk } from "./disk.ts";
import { missing, output } from "./program.ts";

let disk: TestDisk;
beforeEach(async () => {
  disk = await makeTestDisk();
});
afterEach(() => disk.remove());

describe.skipIf(missing("qemu-img") !== undefined)("qemu-img", () => {
  test("finds the overlay clean and reads its backing chain", async () => {
    await disk.prepare({ record: { type: "never-made" } });
    expect(await output("qemu-img", "check", "-f", "qcow2", disk.path)).toContain("No errors");
    const chain = JSON.parse(
      await output(
        "qemu-img",
        "info",
        "--backing-chain",
        "--output=json",
        "-f",
        "qcow2",
        disk.path,
      ),
    );
    expect(chain).toHaveLength(2);
    expect(chain[0]).toMatchObject({
      "backing-filename": disk.basePath,
      "backing-filename-format": "raw",
    });
    expect(chain[1]).toMatchObject({ filename: disk.basePath, format: "raw" });
  });

  test("wrote into a kept overlay: it is kept still, byte for byte", async () => {
    await disk.make();
    await output("qemu-io", "-f", "qcow2", "-c", "write -P 7 64k 200k", disk.path);
    const before = await lookAt(disk.path);
    expect((await disk.prepare()).outcome).toBe("kept");
    expect(await lookAt(disk.path)).toEqual(before);
  });
});

describe.skipIf(missing("qemu-io") !== undefined)("a live QEMU process", () => {
  /** Holds the overlay open, as a running box does, until `work` is done. */
  async function whileOpen(work: () => Promise<void>): Promise<void> {
    const qemu = spawn("qemu-io", ["-f", "qcow2", disk.path], {
      stdio: ["pipe", "pipe", "inherit"],
    });
    const ended = once(qemu, "exit");
    try {
      // The prompt comes once the image is open.
      await once(qemu.stdout, "data");
      await work();
    } finally {
      qemu.stdin.end("quit\n");
      await ended;
    }
  }

  test("makes the overlay in use: it is refused and untouched", async () => {
    await disk.make();
    const { size } = await stat(disk.path);
    await whileOpen(async () => {
      await expect(disk.prepare()).rejects.toMatchObject({
        code: "OVERLAY_IN_USE",
        kind: "in-use",
      });
    });
    expect((await stat(disk.path)).size).toBe(size);
    expect((await disk.prepare()).outcome).toBe("kept");
  });

  test("protects an overlay that looks corrupt while it is written", async () => {
    const sound = await disk.make();
    await whileOpen(async () => {
      const damaged = Buffer.from(sound).fill(0, 65_536, 131_072);
      await writeFile(disk.path, Buffer.concat([Buffer.from("damaged"), damaged]));
      await expect(disk.prepare()).rejects.toMatchObject({ code: "OVERLAY_IN_USE" });
      await writeFile(disk.path, sound);
    });
    await chmod(disk.path, 0o600);
    expect(await readFile(disk.path)).toEqual(sound);
  });
});
