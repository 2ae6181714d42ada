import { existsSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { toErrorReport } from "@box/errors";
import { Runtime } from "@box/runtime";
import { type EngineStep, InProcessEngine } from "@box/vm/testing";
import { FakeImages } from "./fake-images.ts";

/** What a child process is told to do with a home. */
export interface ChildTask {
  /** The home. */
  readonly home: string;
  /** Becomes this user and group first, and loses every privilege; needs root. */
  readonly user?: number;
  /** Boxes to create, one after the other. */
  readonly create?: readonly string[];
  /** Boxes to prepare, after that. */
  readonly prepare?: readonly string[];
  /** Boxes to remove, after that. */
  readonly remove?: readonly string[];
  /** Boxes to start, after that. */
  readonly start?: readonly string[];
  /** Boxes to stop, after that. */
  readonly stop?: readonly string[];
  /** With an engine, which may hang at one of its steps. */
  readonly engine?: { readonly hangAt?: EngineStep };
  /** Prunes again and again, after that, until this file is there. */
  readonly pruneUntil?: string;
  /** Creates a box of an image of its own and removes it again, this often, before anything else. */
  readonly cycles?: number;
  /** Waits for ever in the middle of making the first box. */
  readonly hang?: boolean;
}

/** What a child process prints, one line of JSON each. */
export type ChildLine =
  | { readonly type: "event"; readonly task: string; readonly event: string }
  | { readonly type: "made" | "removing"; readonly name: string }
  | { readonly type: "done"; readonly pruned?: number; readonly outcome?: string }
  | { readonly type: "step"; readonly step: EngineStep }
  | {
      readonly type: "error";
      readonly code: string;
      readonly kind: string;
      readonly message: string;
    };

const tell = (line: ChildLine) => process.stdout.write(`${JSON.stringify(line)}\n`);

const task = JSON.parse(process.argv[2] ?? "") as ChildTask;
// Only here, with everything loaded: this user may not be allowed to read the sources, nor to start Node.js.
if (task.user !== undefined) becomeUser(task.user);
const images = new FakeImages();
if (task.hang) images.gate = new Promise(() => setInterval(() => {}, 1000));
try {
  const engine = task.engine === undefined ? {} : { engine: new InProcessEngine({ onStep }) };
  await using runtime = await Runtime.open({ home: task.home, images, ...engine });
  const onEvent = (event: { readonly task: string; readonly type: string }) =>
    tell({ type: "event", task: event.task, event: event.type });
  for (let count = 0; count < (task.cycles ?? 0); count += 1) {
    const { box } = await runtime.boxes.create({ image: `app-${process.pid}`, onEvent });
    await runtime.boxes.remove(box.name, { onEvent });
    // Now and then somebody else has to collect the base first; mostly that comes between.
    const base = box.disks.user?.base?.path ?? "";
    while (count % 4 === 0 && existsSync(base)) await delay(2);
  }
  for (const name of task.create ?? []) {
    await runtime.boxes.create({ image: "app", name, onEvent });
    tell({ type: "made", name });
  }
  for (const name of task.prepare ?? []) await runtime.boxes.prepare(name, { onEvent });
  for (const name of task.remove ?? []) {
    tell({ type: "removing", name });
    await runtime.boxes.remove(name, { onEvent });
  }
  let outcome: string | undefined;
  for (const name of task.start ?? []) {
    outcome = (await runtime.boxes.start(name)).outcome;
    if (task.engine?.hangAt === "exec") await runtime.boxes.exec(name, { command: ["exit"] });
  }
  for (const name of task.stop ?? []) await runtime.boxes.stop(name);
  let pruned = 0;
  while (task.pruneUntil !== undefined && !existsSync(task.pruneUntil)) {
    pruned += (await runtime.storage.prune()).removed.length;
  }
  const pruning = task.pruneUntil === undefined ? {} : { pruned };
  tell({ type: "done", ...pruning, ...(outcome === undefined ? {} : { outcome }) });
} catch (error) {
  const { code, kind, message } = toErrorReport(error);
  tell({ type: "error", code, kind, message });
}

/** Tells that it is there, and stays. */
async function onStep(step: EngineStep): Promise<void> {
  if (step !== task.engine?.hangAt) return;
  tell({ type: "step", step });
  await new Promise(() => setInterval(() => {}, 1000));
}

function becomeUser(user: number): void {
  process.setgroups?.([]);
  process.setgid?.(user);
  process.setuid?.(user);
}
