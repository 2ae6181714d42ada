import { join } from "node:path";
import { type BoxState, Runtime } from "@box/runtime";
import { isMachineAlive } from "@box/vm";
import { InProcessEngine } from "@box/vm/testing";
import { expect } from "vitest";
import { endMachine } from "../engine-home.ts";
import { FakeImages } from "../fake-images.ts";
import type { TemplateHome } from "./template-home.ts";
import type { VerbCase } from "./verb-case.ts";

/** What runs, whatever the state says, agrees with what it says. */
export async function stateOf(runtime: Runtime): Promise<BoxState> {
  const { state, machine, directory } = await runtime.boxes.inspect("web");
  const spawned = await new InProcessEngine().find(join(directory, "run"));
  const isAlive = spawned !== undefined && isMachineAlive(spawned);
  expect([state, isAlive]).toEqual([state, state === "running"]);
  if (isAlive) expect(machine).toEqual(spawned);
  return state;
}

async function startWeb({ home }: TemplateHome): Promise<void> {
  const engine = new InProcessEngine();
  await using runtime = await Runtime.open({ home, images: new FakeImages(), engine });
  await runtime.boxes.start("web");
}

/** Ends the machine of the box. */
export async function endWeb(runtime: Runtime): Promise<void> {
  const { machine } = await runtime.boxes.inspect("web");
  if (machine !== undefined) await endMachine(machine);
}

/** Verbs that start and end machines. */
export const machineCases: readonly VerbCase[] = [
  {
    verb: "start",
    args: ["web"],
    check: async (runtime, isDone) => {
      const state = await stateOf(runtime);
      expect(isDone ? ["running"] : ["created", "failed", "running"]).toContain(state);
    },
    after: endWeb,
  },
  {
    verb: "stop",
    args: ["web"],
    before: startWeb,
    check: async (runtime, isDone) => {
      const state = await stateOf(runtime);
      expect(isDone ? ["stopped"] : ["running", "stopped"]).toContain(state);
    },
    after: endWeb,
  },
  {
    verb: "restart",
    args: ["web"],
    before: startWeb,
    check: async (runtime, isDone) => {
      const state = await stateOf(runtime);
      expect(isDone ? ["running"] : ["running", "stopped", "failed"]).toContain(state);
    },
    after: endWeb,
  },
];
