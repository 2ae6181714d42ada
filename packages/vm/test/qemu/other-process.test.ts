import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { isProcessAlive, type ProcessIdentity } from "@box/io/node";
import { isMachineAlive, type MachineSpec, parseMachineRecord } from "@box/vm";
import { expect, onTestFinished, test } from "vitest";
import { makeSpec } from "../subject.ts";
import { fakeEngine } from "./fake-engine.ts";
import { fakeQemuFolder } from "./fake-subject.ts";

const script = fileURLToPath(new URL("./starter.ts", import.meta.url));

/** Lets another process start a machine. */
async function startElsewhere(spec: MachineSpec, stays: boolean) {
  const folder = await fakeQemuFolder();
  const engine = fakeEngine(folder);
  const args = ["--conditions=@box/source", script, JSON.stringify({ spec, folder, stays })];
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
  const exited = once(child, "exit");
  onTestFinished(async () => {
    child.kill("SIGKILL");
    await exited;
  });
  const [line] = (await once(child.stdout, "data")) as [Buffer];
  const record = parseMachineRecord(JSON.parse(line.toString()));
  onTestFinished(async () => {
    if (isMachineAlive(record)) process.kill(record.process.pid, "SIGKILL");
  });
  return { child, exited, record, engine };
}

test("a detached machine outlives the process that started it, and another takes it over", async () => {
  const { exited, record, engine } = await startElsewhere(await makeSpec(), false);
  expect(await exited).toEqual([0, null]);
  expect(await engine.look(record)).toEqual({ state: "running" });
  expect(await engine.find(record.directory)).toEqual(record);
  await using machine = await engine.attach(record);
  expect(await machine.connect()).toEqual({ agent: "fake 1", isInitialized: true });
  const command = await machine.exec({ command: ["exit", "5"] });
  expect(await command.wait()).toEqual({ exitCode: 5 });
  expect(await machine.stop()).toMatchObject({ step: "guest", exit: { reason: "stopped" } });
  const supervisor = record.details["supervisor"] as ProcessIdentity;
  await expect.poll(() => isProcessAlive(supervisor)).toBe(false);
});

test("a machine of its owner ends when that is killed, within two seconds", async () => {
  const spec = { ...(await makeSpec()), lifetime: "owner" } as const;
  const { child, exited, record, engine } = await startElsewhere(spec, true);
  expect(await engine.look(record)).toEqual({ state: "running" });
  child.kill("SIGKILL");
  await exited;
  await expect.poll(() => isMachineAlive(record), { timeout: 60_000 }).toBe(false);
  await expect.poll(() => engine.look(record)).toMatchObject({ state: "gone" });
});

test("a machine of its owner that hangs is killed with it", async () => {
  const spec = { ...(await makeSpec()), lifetime: "owner" } as const;
  const { child, exited, record } = await startElsewhere(spec, true);
  process.kill(record.process.pid, "SIGSTOP");
  const killedMs = Date.now();
  child.kill("SIGKILL");
  await exited;
  await expect.poll(() => isMachineAlive(record), { timeout: 60_000 }).toBe(false);
  // Two seconds on a host with time to spare; this one may have none.
  expect(Date.now() - killedMs).toBeLessThan(10_000);
});
