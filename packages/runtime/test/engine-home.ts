import { truncate } from "node:fs/promises";
import type { BoxDetails, CreateBoxOptions } from "@box/runtime";
import { Runtime } from "@box/runtime";
import type { Machine, MachineRecord, MachineSpec } from "@box/vm";
import { isMachineAlive } from "@box/vm";
import { type EngineStep, InProcessEngine } from "@box/vm/testing";
import { onTestFinished } from "vitest";
import { FakeImages } from "./fake-images.ts";
import { openTestRuntime } from "./test-home.ts";

/** What a test does at the steps of an engine. */
export type Steps = Partial<
  Record<EngineStep, ((signal: AbortSignal | undefined) => void | Promise<void>) | undefined>
>;

/** An in-process engine that keeps what it was given; its machines end with the test. */
export class WatchedEngine extends InProcessEngine {
  readonly specs: MachineSpec[] = [];
  readonly onStep: Steps;

  constructor(onStep: Steps = {}) {
    super({ onStep: (step, signal) => onStep[step]?.(signal) });
    this.onStep = onStep;
    onTestFinished(() => endMachines(this));
  }

  override async spawn(...args: Parameters<InProcessEngine["spawn"]>): Promise<Machine> {
    this.specs.push(args[0]);
    return super.spawn(...args);
  }
}

/** A home of one test with a box, and what runs it. */
export interface EngineHome {
  readonly runtime: Runtime;
  readonly boxes: Runtime["boxes"];
  readonly home: string;
  readonly images: FakeImages;
  readonly box: BoxDetails;
  readonly engine: WatchedEngine;
  /** Everything that the engine was asked to spawn. */
  readonly specs: readonly MachineSpec[];
  /** What happens at the engine's steps. */
  readonly onStep: Steps;
  /** Makes a disk corrupt. */
  damage(role: "user" | "guest"): Promise<void>;
}

/** A home with a box `web`, and an engine. */
export async function openWithEngine(options: Partial<CreateBoxOptions> = {}): Promise<EngineHome> {
  const engine = new WatchedEngine();
  const opened = await openTestRuntime({ engine });
  const { boxes } = opened.runtime;
  const { box } = await boxes.create({
    image: "app",
    name: "web",
    labels: { tier: "front" },
    ...options,
  });
  const damage = (role: "user" | "guest") => truncate(pathOf(box, role), 100);
  return { ...opened, boxes, box, engine, damage, specs: engine.specs, onStep: engine.onStep };
}

/** Ends every machine that an engine has spawned. */
export async function endMachines({ spawned }: InProcessEngine): Promise<void> {
  for (const record of spawned) await endMachine(record);
}

/** Ends a machine whatever its state. */
export async function endMachine(record: MachineRecord): Promise<void> {
  if (!isMachineAlive(record)) return;
  await using machine = await new InProcessEngine().attach(record);
  await machine.stop({ graceMs: 0 });
}

/** The machine of a box as another process that opens the home sees it. */
export async function machineOf(home: string, name: string): Promise<MachineRecord | undefined> {
  const engine = new InProcessEngine();
  await using runtime = await Runtime.open({ home, images: new FakeImages(), engine });
  return (await runtime.boxes.inspect(name)).machine;
}

/** Everything that a stream gives, as text. */
export async function textOf(stream: AsyncIterable<Uint8Array>): Promise<string> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

function pathOf({ disks }: BoxDetails, role: "user" | "guest"): string {
  return disks[role]?.path ?? "";
}
