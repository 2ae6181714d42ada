import { readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { isMachineAlive, type MachineSpec } from "@box/vm";
import { expect, onTestFinished, test } from "vitest";
import { listTemplates } from "../../../src/qemu/template/template-folder.ts";
import { makeSpec } from "../../subject.ts";
import { fakeEngine } from "../fake-engine.ts";
import { fakeQemuFolder } from "../fake-subject.ts";

/** A busy host takes long; only what hangs runs into this. */
const patience = { timeout: 60_000 };

/** An engine with templates, whose supervisors are processes of their own. */
async function makeHost() {
  const folder = await fakeQemuFolder();
  const templateFolder = join(folder, "templates");
  const engine = fakeEngine(folder, { templateFolder });
  const spawn = async (changes: Partial<MachineSpec> & { readonly diskMiB?: number } = {}) => {
    const { diskMiB = 64, ...rest } = changes;
    const spec = { ...(await makeSpec()), ...rest };
    const header = Buffer.alloc(512);
    header.writeUInt32BE(0x514649fb, 0);
    header.writeBigUInt64BE(BigInt(diskMiB) * 2n ** 20n, 24);
    for (const { path } of spec.disks) await writeFile(path, header);
    const machine = await engine.spawn(spec);
    onTestFinished(async () => {
      await machine.stop({ graceMs: 0 });
      await machine.close();
    });
    await machine.connect();
    return machine;
  };
  return { templateFolder, spawn };
}

test("machines have a template for each shape, and only those that may use one", async () => {
  const { templateFolder, spawn } = await makeHost();
  const started = async (changes?: Parameters<typeof spawn>[0]) => {
    const machine = await spawn(changes);
    await machine.initialize({ hostname: "a" });
    return machine.record.details["start"];
  };
  expect(await started()).toBe("cold");
  await expect.poll(() => listTemplates(templateFolder), patience).toHaveLength(1);
  expect(await started()).toBe("warm");
  expect(await started({ bootsAlways: true })).toBe("cold");
  expect(await listTemplates(templateFolder)).toHaveLength(1);
  expect(await started({ memoryMiB: 192 })).toBe("cold");
  await expect.poll(() => listTemplates(templateFolder), patience).toHaveLength(2);
  expect(await started({ diskMiB: 65 })).toBe("cold");
  await expect.poll(() => listTemplates(templateFolder), patience).toHaveLength(3);
});

test("a supervisor that is killed while it saves leaves no QEMU and no template, and the next one clears up", async () => {
  const { templateFolder, spawn } = await makeHost();
  const machine = await spawn({ name: "slow" });
  const names = async () => (await readdir(templateFolder).catch(() => [])).join(" ");
  await expect.poll(names, patience).toContain(".tmp-");
  const { pid } = machine.record.details["supervisor"] as { readonly pid: number };
  process.kill(pid, "SIGKILL");
  await expect.poll(() => isMachineAlive(machine.record), patience).toBe(false);
  expect(await listTemplates(templateFolder)).toEqual([]);
  const next = await spawn();
  expect(next.record.details["start"]).toBe("cold");
  await expect.poll(() => listTemplates(templateFolder), patience).toHaveLength(1);
  expect(await names()).not.toContain(".tmp-");
});
