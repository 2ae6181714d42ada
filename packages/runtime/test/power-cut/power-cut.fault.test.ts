import { execFile, execFileSync } from "node:child_process";
import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import type { Runtime } from "@box/runtime";
import { describe, expect, test } from "vitest";
import { bundleChild } from "../bundle-child.ts";
import { callOf, requireHealed } from "../kill-points/after-fault.ts";
import { diskCases } from "../kill-points/disk-cases.ts";
import { imageCases } from "../kill-points/image-cases.ts";
import { lifeCases } from "../kill-points/life-cases.ts";
import { makeTemplateHome, type TemplateHome } from "../kill-points/template-home.ts";
import type { VerbCase } from "../kill-points/verb-case.ts";
import { temporaryFolder } from "../test-home.ts";
import { CrashModel, digestOf, losses, type Tree } from "./crash-model.ts";
import { type FileChange, readFileLog, tracedCalls } from "./file-log.ts";
import { endEarlierMachine, inEarlierBoot, machineCuts } from "./machine-cuts.ts";

/** How many states of each verb are tried, spread evenly; `pnpm test:faults` tries every one. */
const { POWER_CUTS = "12" } = process.env;
const { script } = await bundleChild(
  fileURLToPath(new URL("../kill-points/verb-child.ts", import.meta.url)),
);
const cases: readonly VerbCase[] = [
  ...lifeCases,
  ...imageCases.map(withoutOldNames),
  ...diskCases,
  ...machineCuts(script),
];
const hasStrace = canTrace();
let states = 0;

/** Whether strace is there and may trace. */
function canTrace(): boolean {
  try {
    execFileSync("strace", ["-qq", "-o", "/dev/null", "true"], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}

describe.skipIf(!hasStrace)(
  "after a cut of the power (strace must be installed and allowed)",
  () => {
    test.for(cases.map((one) => [`${one.verb} ${one.when ?? ""}`.trim(), one] as const))(
      "%s is done or undone, and done once it was told so",
      { timeout: 3_600_000 },
      async ([, one]) => {
        const place = await makeTemplateHome();
        await one.before?.(place);
        const folder = dirname(place.home);
        const before = await readTree(place);
        const changes = await record(one, place);
        await endEarlierMachine(place);
        const cuts = chosen(cutsOf(changes, folder, before));
        for (const { isDone, tree } of cuts) {
          await writeTree(place, tree);
          await requireHealed(one, place, isDone);
        }
        states += cuts.length;
      },
    );

    test("they are many states", () => {
      process.stdout.write(`${JSON.stringify({ powerCutStates: states })}\n`);
      expect(states).toBeGreaterThanOrEqual(100);
    });
  },
);

/** The name of a whole blob while it was a partial download may come back; the next clean-up takes it. */
function withoutOldNames(one: VerbCase): VerbCase {
  const check = async (runtime: Runtime, isDone: boolean): Promise<void> => {
    const { layout } = await runtime.imageStore();
    await layout.removePartials({ beforeMs: 0 });
    await one.check(runtime, isDone);
  };
  return { ...one, check };
}

/** Carries a verb out in a process of its own, and tells what it did to files. */
async function record(one: VerbCase, place: TemplateHome): Promise<FileChange[]> {
  const log = join(await temporaryFolder(), "log");
  const traced = [
    "-f",
    "-b",
    "execve",
    "-qq",
    "-xx",
    "-s",
    "100000000",
    "-e",
    `trace=${tracedCalls.join()}`,
  ];
  const task = JSON.stringify({ ...callOf(one, place), home: place.home, killAt: 0 });
  const child = [process.execPath, ...inEarlierBoot, script, task];
  const { stdout } = await promisify(execFile)("strace", [...traced, "-o", log, ...child]);
  expect(JSON.parse(stdout)).toMatchObject({ type: "done" });
  return readFileLog(await readFile(log, "latin1"), dirname(place.home));
}

/** What the disk may hold, before each call after which more of it is safe, and at the end. */
function cutsOf(changes: readonly FileChange[], folder: string, before: Tree) {
  const model = new CrashModel(folder, before);
  const cuts = new Map<string, { readonly isDone: boolean; readonly tree: Tree }>();
  let isDone = false;
  const cut = (): void => {
    for (const loss of losses) {
      const tree = model.after(loss);
      const key = `${digestOf(tree)} ${isDone}`;
      if (!cuts.has(key)) cuts.set(key, { isDone, tree });
    }
  };
  for (const change of changes) {
    if (change.type === "sync" || change.type === "print") cut();
    model.apply(change);
    if (change.type === "print") {
      isDone = true;
      cut();
    }
  }
  cut();
  expect(isDone).toBe(true);
  return [...cuts.values()];
}

function chosen<One>(every: readonly One[]): readonly One[] {
  if (POWER_CUTS === "all" || every.length <= Number(POWER_CUTS)) return every;
  const step = every.length / Number(POWER_CUTS);
  return every.filter((_, index) => Math.floor((index + 1) / step) > Math.floor(index / step));
}

/** The home and the archives beside it, by path below their folder. */
async function readTree({ home, archive }: TemplateHome): Promise<Tree> {
  const folder = dirname(home);
  const tree = new Map<string, Uint8Array | undefined>([[basename(home), undefined]]);
  tree.set(basename(archive), await readFile(archive));
  const entries = await readdir(home, { recursive: true, withFileTypes: true });
  for (const entry of entries) {
    const path = join(entry.parentPath, entry.name);
    tree.set(path.slice(folder.length + 1), entry.isDirectory() ? undefined : await readFile(path));
  }
  return new Map([...tree].sort(([a], [b]) => (a < b ? -1 : 1)));
}

async function writeTree({ home, archive }: TemplateHome, tree: Tree): Promise<void> {
  for (const path of [home, archive, `${archive}.new`])
    await rm(path, { recursive: true, force: true });
  for (const [name, content] of tree) {
    const path = join(dirname(home), name);
    if (content === undefined) await mkdir(path, { mode: 0o700 });
    // Memory that processes share: who opens the state first makes it anew.
    else if (!name.endsWith("-shm")) await writeFile(path, content, { mode: 0o600 });
  }
}
