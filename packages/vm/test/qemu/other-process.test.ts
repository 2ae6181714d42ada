import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { protocolVersion } from "@box/guest/protocol";
import { isProcessAlive, type ProcessIdentity } from "@box/io/node";
import { outlives } from "@box/test-support";
import { isMachineAlive, type MachineRecord, type MachineSpec, parseMachineRecord } from "@box/vm";
import { expect, onTestFinished, test } from "vitest";
import { makeSpec } from "../subject.ts";
import { fakeEngine } from "./fake-engine.ts";
import { fakeQemuFolder } from "./fake-subject.ts";

const script = fileURLToPath(new URL("./starter.ts", import.meta.url));

const supervisorOf = ({ details }: MachineRecord) => details["supervisor"] as ProcessIdentity;

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
  expect(await machine.connect()).toEqual({
    agent: `box-agent ${protocolVersion}`,
    isInitialized: true,
  });
  const command = await machine.exec({ command: ["exit", "5"] });
  expect(await command.wait()).toEqual({ exitCode: 5 });
  expect(await machine.stop()).toMatchObject({ step: "guest", exit: { reason: "stopped" } });
  await expect.poll(() => isProcessAlive(supervisorOf(record))).toBe(false);
});

test("a machine of its owner ends when that is killed, within two seconds", async () => {
  const spec = { ...(await makeSpec()), lifetime: "owner" } as const;
  const { child, exited, record, engine } = await startElsewhere(spec, true);
  expect(await engine.look(record)).toEqual({ state: "running" });
  expect(await outlives(child.pid ?? 0, record.process.pid)).toBeLessThan(2000);
  await exited;
  await expect.poll(() => isProcessAlive(supervisorOf(record))).toBe(false);
  expect(await engine.look(record)).toMatchObject({ state: "gone" });
});

const ways = [
  { title: "hangs", name: "web", stops: true },
  { title: "is told to end and lingers", name: "lingers", stops: false },
];

test.each(ways)("one that $title is killed, within two seconds too", async ({ name, stops }) => {
  const spec = { ...(await makeSpec()), name, lifetime: "owner" } as const;
  const { child, exited, record } = await startElsewhere(spec, true);
  if (stops) process.kill(record.process.pid, "SIGSTOP");
  expect(await outlives(child.pid ?? 0, record.process.pid)).toBeLessThan(2000);
  await exited;
  await expect.poll(() => isProcessAlive(supervisorOf(record))).toBe(false);
});
