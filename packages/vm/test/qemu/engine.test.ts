import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, chown, mkdir, readdir, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { QemuEngine } from "@box/vm/qemu";
import { describe, expect, test } from "vitest";
import { socketPath } from "../../src/qemu/socket-path.ts";
import { ownSupervisor } from "../../src/qemu/start-supervisor.ts";
import { makeSpec } from "../subject.ts";
import { fakeEngine } from "./fake-engine.ts";
import { fakeQemuFolder, fakeSubject } from "./fake-subject.ts";

async function probeOf(script: string) {
  const folder = await fakeQemuFolder();
  const path = join(folder, "qemu-system-x86_64");
  await writeFile(path, `#!/bin/sh\n${script}\n`);
  await chmod(path, 0o755);
  const boot = async () => ({ kernel: "/k", initrd: "/i", digest: "d" });
  const engine = new QemuEngine({ programFolders: [folder], boot, socketFolder: folder });
  return engine.probe();
}

describe("an engine cannot run machines", () => {
  test("with a QEMU that is too old", async () => {
    expect(await probeOf("echo QEMU emulator version 5.2.0")).toEqual({
      isUsable: false,
      version: "5.2.0",
      reason: "QEMU 5.2.0 is too old: 6.2 or newer is needed",
    });
  });

  test("with a QEMU that does not tell its version", async () => {
    expect(await probeOf("exit 1")).toMatchObject({
      isUsable: false,
      reason: expect.stringContaining("does not tell its version"),
    });
  });
});

describe("a record", () => {
  test("that is damaged is corrupt, and a folder that cannot be read is not", async () => {
    const { engine } = await fakeSubject();
    const { directory } = await makeSpec();
    const file = join(directory, "machine.json");
    await writeFile(file, "{");
    await expect(engine.find(directory)).rejects.toMatchObject({ code: "VM_RECORD_INVALID" });
    await writeFile(file, "{}");
    await expect(engine.find(directory)).rejects.toMatchObject({ code: "VM_RECORD_INVALID" });
    await expect(engine.find(file)).rejects.toMatchObject({ kind: "io" });
  });

  test("of a machine that another version of box talks to is foreign", async () => {
    const { engine } = await fakeSubject();
    await using machine = await engine.spawn(await makeSpec());
    const { record } = machine;
    const newer = { ...record, details: { ...record.details, link: 99 } };
    await expect(engine.attach(newer)).rejects.toMatchObject({ code: "VM_RECORD_FOREIGN" });
    await machine.stop({ graceMs: 0 });
    await expect(engine.attach(record)).rejects.toMatchObject({ code: "VM_MACHINE_GONE" });
  });

  test("of a machine whose supervisor does not answer gives a handle that can end it", async () => {
    const { engine } = await fakeSubject();
    await using machine = await engine.spawn(await makeSpec());
    const lost = { ...machine.record, sockets: { supervisor: "/no/such/socket" } };
    await using handle = await engine.attach(lost);
    await expect(handle.connect()).rejects.toMatchObject({
      code: "VM_MACHINE_DIED",
      message: expect.stringContaining("not looked after"),
    });
    const running = { command: ["exit"] };
    await expect(handle.exec(running)).rejects.toMatchObject({ code: "VM_MACHINE_DIED" });
    expect(await handle.stop()).toMatchObject({ step: "killed" });
    expect(await machine.wait()).toMatchObject({ reason: "killed" });
  });
});

describe("the socket of a machine", () => {
  const deep = `/${"x".repeat(110)}`;

  test("is in its folder, unless that lies too deep", async () => {
    expect(await socketPath("/run/a", "1", "/never")).toBe("/run/a/vm.sock");
    const folder = join(await fakeQemuFolder(), "sockets");
    const [first, second] = [
      await socketPath(deep, "1", folder),
      await socketPath(deep, "2", folder),
    ];
    expect(first).not.toBe(second);
    await chmod(folder, 0o755);
    await socketPath(deep, "1", folder);
    expect((await stat(folder)).mode & 0o777).toBe(0o700);
  });

  test("is nowhere that others could have made, or that lies too deep as well", async () => {
    const folder = await fakeQemuFolder();
    await writeFile(join(folder, "file"), "");
    const isFile = socketPath(deep, "1", join(folder, "file"));
    await expect(isFile).rejects.toThrow();
    await expect(socketPath(deep, "1", deep)).rejects.toMatchObject({ code: "VM_SPAWN_FAILED" });
  });
});

describe("the compiled code of a supervisor", () => {
  async function environmentOf(cacheFolder: string): Promise<string> {
    const engine = fakeEngine(await fakeQemuFolder(), { cacheFolder });
    await using machine = await engine.spawn(await makeSpec());
    const { pid } = machine.record.details["supervisor"] as { readonly pid: number };
    const environment = await readFile(`/proc/${pid}/environ`, "utf8");
    await machine.stop({ graceMs: 0 });
    return environment;
  }

  test("is kept in a folder of this user's alone", async () => {
    const cacheFolder = join(await fakeQemuFolder(), "cache");
    const code = join(cacheFolder, "code");
    expect(await environmentOf(cacheFolder)).toBe(`NODE_COMPILE_CACHE=${code}\0`);
    expect((await stat(code)).mode & 0o777).toBe(0o700);
  });

  test("is written before it ends by a signal to itself, which no thread of V8 can hold up", async () => {
    const folder = await fakeQemuFolder();
    const { path, args } = ownSupervisor();
    // It is told nothing, so it has nothing to do.
    const child = spawn(path, args, { env: { NODE_COMPILE_CACHE: folder }, stdio: "pipe" });
    child.stdin.end();
    expect(await once(child, "close")).toEqual([null, "SIGKILL"]);
    const [versions] = (await readdir(folder)).filter((name) => name.startsWith("v"));
    expect((await readdir(join(folder, versions ?? ""))).length).toBeGreaterThan(0);
  });

  // Who is not root can give nothing away.
  test.skipIf(process.getuid?.() !== 0)("is not kept in a folder of another's", async () => {
    const cacheFolder = join(await fakeQemuFolder(), "cache");
    await mkdir(join(cacheFolder, "code"), { recursive: true });
    await chown(join(cacheFolder, "code"), 65534, 65534);
    expect(await environmentOf(cacheFolder)).toBe("");
  });
});
