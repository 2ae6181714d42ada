import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { isMachineAlive, type MachineRecord, type MachineSpec, parseMachineRecord } from "@box/vm";
import { InProcessEngine } from "@box/vm/testing";
import { expect, onTestFinished, test } from "vitest";
import { makeSpec } from "./subject.ts";

const script = fileURLToPath(new URL("./starter.ts", import.meta.url));

/** Lets another process start a machine. */
async function startElsewhere(spec: MachineSpec, stays: boolean) {
  const args = ["--conditions=@box/source", script, JSON.stringify({ spec, stays })];
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
  const exited = once(child, "exit");
  onTestFinished(async () => {
    child.kill("SIGKILL");
    await exited;
  });
  const [line] = (await once(child.stdout, "data")) as [Buffer];
  const record = parseMachineRecord(JSON.parse(line.toString()));
  onTestFinished(() => endMachine(record));
  return { child, exited, record };
}

async function endMachine(record: MachineRecord): Promise<void> {
  if (!isMachineAlive(record)) return;
  const machine = await new InProcessEngine().attach(record);
  await machine.stop({ graceMs: 0 });
  await machine.close();
}

test("a detached machine outlives the process that started it, and another takes it over", async () => {
  const { exited, record } = await startElsewhere(await makeSpec(), false);
  expect(await exited).toEqual([0, null]);
  expect(isMachineAlive(record)).toBe(true);
  const engine = new InProcessEngine();
  expect(await engine.find(record.directory)).toEqual(record);
  await using machine = await engine.attach(record);
  expect(await machine.connect()).toMatchObject({ isInitialized: true });
  const command = await machine.exec({ command: ["exit", "5"] });
  expect(await command.wait()).toEqual({ exitCode: 5 });
  expect(await machine.stop()).toMatchObject({ step: "guest", exit: { reason: "stopped" } });
});

test("a machine of its owner ends when that is killed", async () => {
  const spec = { ...(await makeSpec()), lifetime: "owner" } as const;
  const { child, exited, record } = await startElsewhere(spec, true);
  expect(isMachineAlive(record)).toBe(true);
  child.kill("SIGKILL");
  await exited;
  await expect.poll(() => isMachineAlive(record), { timeout: 60_000 }).toBe(false);
  expect(await new InProcessEngine().look(record)).toEqual({ state: "gone" });
});
