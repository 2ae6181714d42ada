import { execFile } from "node:child_process";
import { rm, truncate } from "node:fs/promises";
import { promisify } from "node:util";
import type { ExecProcess, Machine } from "@box/vm";
import { afterAll, describe, expect, onTestFinished, test } from "vitest";
import { bootFilesOfTests } from "./real-boot.ts";
import { writeGuestDisk } from "./real-disks.ts";
import { openRealHost, type RealHost } from "./real-subject.ts";

const host = await openRealHost(await bootFilesOfTests());
afterAll(async () => host?.[Symbol.asyncDispose]());
const timeout = 120_000;

async function outputOf(machine: Machine, ...words: string[]): Promise<string> {
  return textOf(await machine.exec({ command: ["/bin/contract", ...words] }));
}

async function textOf(running: ExecProcess): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  for await (const chunk of running.stdout) text += decoder.decode(chunk, { stream: true });
  expect(await running.wait()).toEqual({ exitCode: 0 });
  return text;
}

async function boot(real: RealHost, spec: Awaited<ReturnType<RealHost["spec"]>>) {
  const machine = await real.engine.spawn(spec);
  onTestFinished(async () => {
    await machine.stop({ graceMs: 0 });
    await machine.close();
  });
  await machine.connect();
  await machine.initialize({ hostname: "web" });
  return machine;
}

const title = "a real machine";
describe.skipIf(host === undefined)(host ? title : `${title} (skipped: no QEMU or kernel)`, () => {
  const real = host as RealHost;

  test.each(["initramfs", "disk"] as const)(
    "keeps what was synced over a stop and over a kill, with its system on %s",
    { timeout },
    async (strategy) => {
      const spec = await real.spec(strategy);
      const machine = await boot(real, spec);
      await outputOf(machine, "save", "/work/a", "first");
      expect(await machine.stop()).toMatchObject({ step: "guest", exit: { reason: "stopped" } });
      const again = await boot(real, { ...spec, id: "f".repeat(32) });
      expect(await outputOf(again, "show", "/work/a")).toBe("first");
      await outputOf(again, "save", "/work/b", "second");
      process.kill(again.record.process.pid, "SIGKILL");
      expect(await again.wait()).toMatchObject({ reason: "killed" });
      const last = await boot(real, { ...spec, id: "e".repeat(32) });
      expect(await outputOf(last, "show", "/work/b")).toBe("second");
      await last.stop();
      for (const { path } of spec.disks) await promisify(execFile)("e2fsck", ["-fn", path]);
    },
  );

  test("has its disks for itself: another one with them is in use", { timeout }, async () => {
    const spec = await real.spec("initramfs");
    const machine = await real.engine.spawn(spec);
    const second = { ...(await real.spec("initramfs")), disks: spec.disks };
    await expect(real.engine.spawn(second)).rejects.toMatchObject({
      code: "VM_DISK_IN_USE",
      kind: "in-use",
    });
    await machine.stop({ graceMs: 0 });
    await machine.close();
  });

  test("runs commands as users of a box whose disk has grown, beside a full system", {
    timeout,
  }, async () => {
    const spec = await real.spec("disk");
    const [disk = ""] = spec.disks.flatMap(({ role, path }) => (role === "user" ? [path] : []));
    const grownBytes = 256 * 2 ** 20;
    await truncate(disk, grownBytes);
    const [guestDisk = ""] = spec.disks.flatMap((each) =>
      each.role === "guest" ? [each.path] : [],
    );
    await rm(guestDisk);
    await writeGuestDisk(guestDisk, true);
    const machine = await boot(real, spec);
    // What the file system keeps for itself is not told.
    const { guest, host } = await machine.stats();
    expect(guest.diskBytes).toBeGreaterThan(grownBytes * 0.9);
    expect(guest.diskBytes).toBeLessThanOrEqual(grownBytes);
    expect(guest.memoryBytes).toBeLessThan(spec.memoryMiB * 2 ** 20);
    expect(host.readBytes).toBeGreaterThan(0);
    expect(host.memoryBytes).toBeGreaterThan(2 ** 25);
    const command = ["/bin/contract", "save", "/work/c", "x"];
    const denied = await machine.exec({ command, user: "www" });
    expect((await denied.wait()).exitCode).not.toBe(0);
    const allowed = await machine.exec({ command, user: "0:33" });
    expect(await allowed.wait()).toEqual({ exitCode: 0 });
    // What has lost its parent is the first process's to collect.
    expect(await outputOf(machine, "orphan")).toBe("reaped\n");
    const groups = ["root", "7"];
    const status = ["/bin/contract", "show", "/proc/self/status"];
    const grouped = await machine.exec({ command: status, user: "www", groups });
    expect(await textOf(grouped)).toMatch(/^Groups:\t0 7 $/m);
    await machine.stop();
    await promisify(execFile)("e2fsck", ["-fn", disk]);
  });
});
