import { execFileSync, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { chmod } from "node:fs/promises";
import { dirname, join } from "node:path";
import { Runtime } from "@box/runtime";
import { writeSampleLayout } from "@box/sample-image";
import { expect, onTestFinished, test } from "vitest";
import { openTestRuntime, temporaryFolder } from "./test-home.ts";

const hasTools = ["qemu-img", "qemu-io", "e2fsck"].every(isInstalled);

function isInstalled(command: string): boolean {
  return spawnSync(command, ["-V"], { env: environment(), stdio: "ignore" }).error === undefined;
}

function environment(): NodeJS.ProcessEnv {
  return { ...process.env, PATH: `${process.env["PATH"] ?? ""}:/usr/sbin:/sbin`, LC_ALL: "C" };
}

function run(command: string, ...args: string[]): string {
  return execFileSync(command, args, { encoding: "utf8", env: environment(), stdio: "pipe" });
}

test.skipIf(!hasTools)(
  "qemu-img finds both disks sound and their chain whole, e2fsck the bases clean (both tools needed)",
  async () => {
    const folder = await temporaryFolder();
    await chmod(folder, 0o755);
    await writeSampleLayout(join(folder, "layout"), "v1");
    const runtime = await Runtime.open({ home: join(folder, "home") });
    onTestFinished(() => runtime.close());
    const image = `oci:${join(folder, "layout")}:v1`;
    const { box } = await runtime.boxes.create({ image, name: "web", diskSizeBytes: 1 << 30 });
    for (const disk of [box.disks.user, box.disks.guest]) {
      const { path, base, virtualSizeBytes } = disk ?? { path: "", virtualSizeBytes: 0 };
      expect(run("qemu-img", "check", path)).toContain("No errors were found");
      const chain = JSON.parse(
        run("qemu-img", "info", "--backing-chain", "--output=json", path),
      ) as readonly Record<string, unknown>[];
      expect(chain).toMatchObject([
        {
          filename: path,
          format: "qcow2",
          "virtual-size": virtualSizeBytes,
          "backing-filename": base?.path,
          "full-backing-filename": base?.path,
          "backing-filename-format": "raw",
        },
        { filename: base?.path, format: "raw", "virtual-size": base?.sizeBytes },
      ]);
      // Fails with another exit code than 0 when it finds anything.
      expect(run("e2fsck", "-fn", base?.path ?? "")).toMatch(/: \d+\/\d+ files/);
      expect(dirname(base?.path ?? "")).toBe(runtime.home.bases);
    }
    expect(box.disks.user?.virtualSizeBytes).toBe(1 << 30);
  },
);

test.skipIf(!hasTools)(
  "a box whose disk is open in QEMU is neither prepared nor removed (qemu-io needed)",
  async () => {
    const { runtime } = await openTestRuntime();
    const { box } = await runtime.boxes.create({ image: "app", name: "web" });
    const path = box.disks.guest?.path ?? "";
    const commands = ["-c", "read 0 512", "-c", "sleep 600000"];
    const program = ["qemu-io", "-f", "qcow2", ...commands, path];
    // Its lines come as they are printed, not when its buffer is full.
    const holder = spawn("stdbuf", ["-oL", ...program], { env: environment() });
    onTestFinished(() => {
      holder.kill("SIGKILL");
    });
    // It reads before it sleeps: its locks are held then.
    await once(holder.stdout, "data");
    await expect(runtime.boxes.prepare("web")).rejects.toMatchObject({
      code: "OVERLAY_IN_USE",
      kind: "in-use",
    });
    await expect(runtime.boxes.remove("web")).rejects.toMatchObject({
      code: "BOX_IN_USE",
      details: { path },
    });
    const gone = once(holder, "exit");
    holder.kill("SIGKILL");
    await gone;
    await runtime.boxes.prepare("web");
    await runtime.boxes.remove("web");
  },
);
