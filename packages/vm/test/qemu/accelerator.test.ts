import { readdirSync, readFileSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { QemuEngine, type QemuEngineOptions } from "@box/vm/qemu";
import { describe, expect, test } from "vitest";
import { makeSpec } from "../subject.ts";
import { fakeQemuFolder } from "./fake-subject.ts";
import { programFolders } from "./oracle.ts";

/** An engine on a host that has KVM's device; what its guests do under KVM is told by their kernel's name. */
async function engineWith(kernel: string, more: Partial<QemuEngineOptions> = {}) {
  const folder = await fakeQemuFolder();
  const kvmDevice = join(folder, "kvm");
  await writeFile(kvmDevice, "");
  const cacheFolder = join(folder, "cache");
  const options: QemuEngineOptions = {
    programFolders: [folder, ...programFolders],
    boot: async () => ({ kernel, initrd: "/i", digest: kernel }),
    socketFolder: join(folder, "sockets"),
    cacheFolder,
    kvmDevice,
    ...more,
  };
  return { engine: new QemuEngine(options), options, cacheFolder, folder };
}

/** What the record of a machine of an engine says. */
async function acceleratorOf(engine: QemuEngine): Promise<Readonly<Record<string, unknown>>> {
  await using machine = await engine.spawn(await makeSpec());
  await machine.stop({ graceMs: 0 });
  return machine.record.details;
}

describe("what speeds a machine up", () => {
  test("is KVM, when a guest answered under it, and that is remembered", async () => {
    const { engine, cacheFolder } = await engineWith("/works");
    const details = await acceleratorOf(engine);
    expect(details["accelerator"]).toBe("kvm");
    expect(details["reason"]).toBeUndefined();
    // Beside what Node.js has compiled.
    expect(readdirSync(cacheFolder).sort()).toEqual(["accelerator.json", "code"]);
  });

  test("is emulation with the reason, when guests hang under KVM, within five seconds; and at once from then on", async () => {
    const { engine, cacheFolder, options } = await engineWith("/hangs");
    const details = await acceleratorOf(engine);
    expect(details).toMatchObject({
      accelerator: "tcg",
      reason: "KVM does not work here: a guest did not come up within 3000 ms",
    });
    const before = readFileSync(join(cacheFolder, "accelerator.json"), "utf8");
    const changed = JSON.parse(before) as { fault: string };
    await writeFile(
      join(cacheFolder, "accelerator.json"),
      JSON.stringify({ ...changed, fault: "remembered" }),
    );
    const again = await acceleratorOf(new QemuEngine(options));
    expect(again["reason"]).toBe("KVM does not work here: remembered");
    const other = { kernel: "/aborts", initrd: "/i", digest: "another kernel" };
    const newer = await acceleratorOf(new QemuEngine({ ...options, boot: async () => other }));
    expect(newer["reason"]).toContain("failed to set MSR 0x10a");
  }, 60_000);

  test("is emulation where there is no device, or it may not be opened", async () => {
    const { engine, folder } = await engineWith("/works", { kvmDevice: "/no/kvm" });
    expect(await acceleratorOf(engine)).toMatchObject({
      accelerator: "tcg",
      reason: "KVM does not work here: there is no /no/kvm",
    });
    await mkdir(join(folder, "cache"), { recursive: true });
    await writeFile(join(folder, "cache", "accelerator.json"), "{");
    const { engine: other } = await engineWith("/works", { cacheFolder: join(folder, "cache") });
    expect((await acceleratorOf(other))["accelerator"]).toBe("kvm");
  });

  test("is what was asked for, or nothing", async () => {
    const { engine } = await engineWith("/works", { accelerator: "tcg" });
    expect((await acceleratorOf(engine))["accelerator"]).toBe("tcg");
    const { engine: strict } = await engineWith("/aborts", { accelerator: "kvm" });
    await expect(strict.spawn(await makeSpec())).rejects.toMatchObject({
      code: "VM_ENGINE_UNAVAILABLE",
      message: expect.stringContaining("failed to set MSR"),
    });
  });

  test("is told to who asks about the engine, or why it cannot run", async () => {
    const { engine } = await engineWith("/aborts");
    expect(await engine.probe()).toEqual({
      isUsable: true,
      version: "7.2.22",
      accelerator: "none",
      reason: expect.stringContaining("failed to set MSR"),
    });
    const { engine: fast } = await engineWith("/works");
    expect(await fast.probe()).toMatchObject({ isUsable: true, accelerator: "kvm" });
    const boot = () => Promise.reject(new Error("there is no kernel"));
    const { engine: empty } = await engineWith("/works", { boot });
    expect(await empty.probe()).toMatchObject({ isUsable: false, reason: "there is no kernel" });
  });

  test("stops being tried when it is told to", async () => {
    const { engine } = await engineWith("/hangs");
    const spawning = engine.spawn(await makeSpec(), { signal: AbortSignal.timeout(300) });
    await expect(spawning).rejects.toMatchObject({ name: "TimeoutError" });
  });
});
