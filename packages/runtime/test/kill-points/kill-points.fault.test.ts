import { execFile } from "node:child_process";
import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";
import { Runtime } from "@box/runtime";
import { InProcessEngine } from "@box/vm/testing";
import { expect, onTestFinished, test } from "vitest";
import { bundleChild } from "../bundle-child.ts";
import { FakeImages } from "../fake-images.ts";
import { callOf, requireHealed } from "./after-fault.ts";
import { diskCases } from "./disk-cases.ts";
import { imageCases } from "./image-cases.ts";
import { lifeCases } from "./life-cases.ts";
import { machineCases } from "./machine-cases.ts";
import { makeTemplateHome, type TemplateHome } from "./template-home.ts";
import type { VerbCase } from "./verb-case.ts";
import type { VerbEnd, VerbTask } from "./verb-child.ts";

/** How many points of each verb are tried, spread evenly; `pnpm test:faults` tries every one. */
const { KILL_POINTS = "34" } = process.env;
const { script, env } = await bundleChild(
  fileURLToPath(new URL("./verb-child.ts", import.meta.url)),
);

const cases: readonly VerbCase[] = [...lifeCases, ...imageCases, ...machineCases, ...diskCases];
let points = 0;

test.for(cases.map((one) => [`${one.verb} ${one.when ?? ""}`.trim(), one] as const))(
  "%s, killed at any operation, is done or undone, and the next process goes on",
  { timeout: 3_600_000 },
  async ([, one]) => {
    const lanes = await Promise.all(
      Array.from({ length: availableParallelism() }, makeTemplateHome),
    );
    const operations = await countOperations(one, lanes[0] as TemplateHome);
    expect(operations).toBeGreaterThan(3);
    const chosen = pointsOf(operations);
    const left = [...chosen];
    let killed = 0;
    await Promise.all(
      lanes.map(async (lane) => {
        for (let point = left.shift(); point !== undefined; point = left.shift()) {
          if (await tryPoint(one, lane, point)) killed += 1;
        }
      }),
    );
    expect(killed).toBeGreaterThan(chosen.length / 2);
    points += killed;
  },
);

test("they are many points", () => {
  process.stdout.write(`${JSON.stringify({ killPoints: points })}\n`);
  expect(points).toBeGreaterThanOrEqual(500);
});

async function countOperations(one: VerbCase, lane: TemplateHome): Promise<number> {
  await one.before?.(lane);
  const end = await runVerb({ ...callOf(one, lane), home: lane.home, killAt: 0 });
  if (end?.type !== "done") throw new Error(JSON.stringify(end));
  await using runtime = await openHome(lane);
  await one.after?.(runtime);
  return end.operations;
}

/** @returns Whether the verb was killed. */
async function tryPoint(one: VerbCase, lane: TemplateHome, killAt: number): Promise<boolean> {
  await lane.restore();
  await one.before?.(lane);
  const end = await runVerb({ ...callOf(one, lane), home: lane.home, killAt });
  // How often waiting events are stored depends on time, and so does the last number.
  if (end !== undefined) expect(end.type === "done" ? end.operations : end).toBeLessThan(killAt);
  await requireHealed(one, lane, end !== undefined);
  return end === undefined;
}

function openHome({ home }: TemplateHome): Promise<Runtime> {
  return Runtime.open({ home, images: new FakeImages(), engine: new InProcessEngine() });
}

function pointsOf(operations: number): readonly number[] {
  const every = Array.from({ length: operations }, (_, index) => index + 1);
  if (KILL_POINTS === "all" || operations <= Number(KILL_POINTS)) return every;
  const step = operations / Number(KILL_POINTS);
  return every.filter((point) => Math.floor(point / step) > Math.floor((point - 1) / step));
}

/** Runs a verb in a process of its own. @returns Nothing when it was killed. */
async function runVerb(task: VerbTask): Promise<VerbEnd | undefined> {
  const { promise, resolve, reject } = Promise.withResolvers<VerbEnd | undefined>();
  const args = [script, JSON.stringify(task)];
  const child = execFile(process.execPath, args, { env }, (error, stdout) => {
    if (error?.signal === "SIGKILL") resolve(undefined);
    else if (error !== null) reject(error);
    else resolve(JSON.parse(stdout) as VerbEnd);
  });
  onTestFinished(() => void child.kill("SIGKILL"));
  return promise;
}
