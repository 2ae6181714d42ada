import { readdir, rename } from "node:fs/promises";
import { join } from "node:path";
import { isBoxError } from "@box/errors";
import { type FileSystemOperation, nodeFileSystem, observeFileSystem } from "@box/io/node";
import { Runtime } from "@box/runtime";
import { InProcessEngine } from "@box/vm/testing";
import { expect, onTestFinished, test } from "vitest";
import { FakeImages } from "../fake-images.ts";
import { callOf, requireHealed } from "./after-fault.ts";
import { callVerb } from "./call-verb.ts";
import { diskCases } from "./disk-cases.ts";
import { imageCases } from "./image-cases.ts";
import { lifeCases } from "./life-cases.ts";
import { machineCases } from "./machine-cases.ts";
import { litterIn, makeTemplateHome, type TemplateHome } from "./template-home.ts";
import type { VerbCase } from "./verb-case.ts";

/** How many points of each verb are tried, spread evenly; `pnpm test:faults` tries every one with every error. */
const { ERROR_POINTS = "20" } = process.env;

/** Errors of the host, and the kinds that they are told as; what nobody expects of a reading call is an I/O error there. */
const kinds: Readonly<Record<string, readonly string[]>> = {
  EIO: ["io"],
  ENOSPC: ["no-space", "io"],
  EDQUOT: ["no-space", "io"],
  EACCES: ["io"],
  EROFS: ["read-only", "io"],
  EMFILE: ["io"],
};
const cases: readonly VerbCase[] = [...lifeCases, ...imageCases, ...machineCases, ...diskCases];
/** What no box is while nothing is done to it. */
const halfWay: readonly string[] = ["creating", "removing", "starting", "stopping"];
let injected = 0;

test.for(cases.map((one) => [`${one.verb} ${one.when ?? ""}`.trim(), one] as const))(
  "%s, with any call of the file system failing, is done or undone and says what failed",
  { timeout: 3_600_000 },
  async ([, one]) => {
    const home = await makeTemplateHome();
    const calls = (await runWith(one, home, 0, "EIO")).calls;
    for (const [point, errno] of pointsOf(calls)) {
      const { end, failed } = await runWith(one, home, point, errno);
      if (failed === undefined) continue;
      injected += 1;
      if (end !== "done") expect([failed, ...(kinds[errno] ?? [])]).toContain(end);
    }
  },
);

test.for(cases.map((one) => [`${one.verb} ${one.when ?? ""}`.trim(), one] as const))(
  "%s, with every call of the file system failing from one on, has ended and leaves nothing half-made",
  { timeout: 3_600_000 },
  async ([, one]) => {
    const home = await makeTemplateHome();
    const { calls } = await runWith(one, home, 0, "EIO");
    const tried = ERROR_POINTS === "all" ? calls : 4;
    for (const [point, errno] of spreadPoints(calls, tried)) {
      await runWithout(one, home, point, errno);
    }
  },
);

test("they are many errors", () => {
  process.stdout.write(`${JSON.stringify({ injectedErrors: injected })}\n`);
  expect(injected).toBeGreaterThanOrEqual(200);
});

/** Carries a verb out while one call fails, and asserts what must be true of the home after it. */
async function runWith(one: VerbCase, place: TemplateHome, point: number, errno: string) {
  await place.restore();
  await one.before?.(place);
  const engine = new InProcessEngine();
  await using runtime = await Runtime.open({ home: place.home, images: new FakeImages(), engine });
  const task = callOf(one, place);
  const host = failAt(point, errno);
  const error: unknown = await callVerb(runtime, task).then(
    () => undefined,
    (cause: unknown) => cause ?? "nothing",
  );
  host.restore();
  const { calls, failed } = host;
  if (error !== undefined && failed === undefined) throw error;
  const end = error === undefined ? "done" : isBoxError(error) ? error.kind : String(error);
  await one.check(runtime, error === undefined);
  // What could not be taken away, because that failed, is taken away by the next process.
  const isRemoval = ["unlink", "rmdir"].includes(failed?.kind ?? "");
  if (!isRemoval) expect([failed, await litterIn(runtime)]).toEqual([failed, []]);
  const again = await callVerb(runtime, task).then(
    () => undefined,
    (cause: { readonly code?: string }) => cause.code,
  );
  if (again !== undefined) expect([failed, again]).toEqual([failed, one.refusal]);
  await one.check(runtime, true);
  await one.after?.(runtime);
  return { calls, failed, end };
}

/**
 * Carries a verb out while every call fails from one on, its clean-ups too, and asserts what must be true as soon as the host is
 * well again, and of the home that the next process opens.
 */
async function runWithout(one: VerbCase, place: TemplateHome, point: number, errno: string) {
  await place.restore();
  await one.before?.(place);
  const engine = new InProcessEngine();
  const runtime = await Runtime.open({ home: place.home, images: new FakeImages(), engine });
  let isDone: boolean;
  try {
    const host = failAt(point, errno, Number.POSITIVE_INFINITY);
    isDone = await callVerb(runtime, callOf(one, place)).then(
      () => true,
      () => false,
    );
    host.restore();
    const boxes = (await runtime.boxes.list()).filter(({ state }) => halfWay.includes(state));
    const operations = await runtime.operations.list();
    const running = operations.filter(({ state }) => state === "running");
    expect([host.failed, boxes, running]).toEqual([host.failed, [], []]);
  } finally {
    await runtime.close();
  }
  await orphanTemporaries(place.home);
  await requireHealed(one, place, isDone);
}

/** As if the process that made them had died. */
async function orphanTemporaries(home: string): Promise<void> {
  for (const name of await readdir(home, { recursive: true })) {
    if (!name.includes(".tmp-")) continue;
    const orphaned = name.replace(/(\.tmp-\d+-)/, "$11");
    await rename(join(home, name), join(home, orphaned));
  }
}

/** Lets one call of the host's file system fail, or several in a row, and counts them. */
function failAt(point: number, errno: string, times = 1) {
  const whole = { ...nodeFileSystem };
  const restore = () => void Object.assign(nodeFileSystem, whole);
  onTestFinished(restore);
  const state = { calls: 0, failed: undefined as FileSystemOperation | undefined, restore };
  const before = (operation: FileSystemOperation) => {
    state.calls += 1;
    if (point === 0 || state.calls < point || state.calls >= point + times) return;
    state.failed ??= operation;
    throw Object.assign(new Error(`${errno}: injected`), { code: errno, syscall: operation.kind });
  };
  Object.assign(nodeFileSystem, observeFileSystem(whole, before));
  return state;
}

function pointsOf(calls: number): readonly (readonly [number, string])[] {
  if (ERROR_POINTS !== "all") return spreadPoints(calls, Number(ERROR_POINTS));
  const every = Array.from({ length: calls }, (_, index) => index + 1);
  return every.flatMap((point) => Object.keys(kinds).map((name) => [point, name] as const));
}

/** So many points, with one error after the other. */
function spreadPoints(calls: number, tried: number): readonly (readonly [number, string])[] {
  const every = Array.from({ length: calls }, (_, index) => index + 1);
  const names = Object.keys(kinds);
  const step = Math.max(1, calls / tried);
  return every
    .filter((point) => Math.floor(point / step) > Math.floor((point - 1) / step))
    .map((point, index) => [point, names[index % names.length] as string] as const);
}
