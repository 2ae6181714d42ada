import { isBoxError } from "@box/errors";
import { type FileSystemOperation, nodeFileSystem, observeFileSystem } from "@box/io/node";
import { Runtime } from "@box/runtime";
import { InProcessEngine } from "@box/vm/testing";
import { expect, onTestFinished, test } from "vitest";
import { FakeImages } from "../fake-images.ts";
import { callOf } from "./after-fault.ts";
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

/** Lets one call of the host's file system fail, and counts them. */
function failAt(point: number, errno: string) {
  const whole = { ...nodeFileSystem };
  const restore = () => void Object.assign(nodeFileSystem, whole);
  onTestFinished(restore);
  const state = { calls: 0, failed: undefined as FileSystemOperation | undefined, restore };
  const before = (operation: FileSystemOperation) => {
    state.calls += 1;
    if (state.calls !== point) return;
    state.failed = operation;
    throw Object.assign(new Error(`${errno}: injected`), { code: errno, syscall: operation.kind });
  };
  Object.assign(nodeFileSystem, observeFileSystem(whole, before));
  return state;
}

function pointsOf(calls: number): readonly (readonly [number, string])[] {
  const every = Array.from({ length: calls }, (_, index) => index + 1);
  const names = Object.keys(kinds);
  if (ERROR_POINTS === "all") {
    return every.flatMap((point) => names.map((name) => [point, name] as const));
  }
  const step = Math.max(1, calls / Number(ERROR_POINTS));
  return every
    .filter((point) => Math.floor(point / step) > Math.floor((point - 1) / step))
    .map((point, index) => [point, names[index % names.length] as string] as const);
}
