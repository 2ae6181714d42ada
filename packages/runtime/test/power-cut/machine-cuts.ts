import { execFile } from "node:child_process";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import type { BoxState, Runtime } from "@box/runtime";
import { InProcessEngine } from "@box/vm/testing";
import { expect } from "vitest";
import { callOf } from "../kill-points/after-fault.ts";
import { endWeb, machineCases, stateOf } from "../kill-points/machine-cases.ts";
import type { TemplateHome } from "../kill-points/template-home.ts";
import type { VerbCase } from "../kill-points/verb-case.ts";

/** Words for Node.js that make a process believe to belong to an earlier boot of the host. */
export const inEarlierBoot: readonly string[] = [
  "--import",
  fileURLToPath(new URL("./earlier-boot.ts", import.meta.url)),
];

/** What a box may be after a cut of the power, and once its verb was done. No machine outlives the power. */
const statesAfterCut: Readonly<Record<string, { cut: readonly BoxState[]; done: BoxState }>> = {
  start: { cut: ["created", "failed"], done: "stopped" },
  stop: { cut: ["stopped"], done: "stopped" },
  restart: { cut: ["failed"], done: "stopped" },
};

/**
 * Verbs that start and end machines, before a cut of the power: with it the boot ends to which they belonged.
 *
 * @param script - Carries out a verb on a home.
 */
export function machineCuts(script: string): readonly VerbCase[] {
  return machineCases.map((one) => {
    const { cut = [], done = "stopped" } = statesAfterCut[one.verb] ?? {};
    const seen = new WeakSet<Runtime>();
    return {
      ...one,
      ...(one.verb === "start"
        ? {}
        : { before: (place) => startInEarlierBoot(script, one, place) }),
      check: async (runtime, isDone) => {
        // Once it was called again, in this boot, it has done what it says.
        if (seen.has(runtime)) return one.check(runtime, true);
        seen.add(runtime);
        const state = await stateOf(runtime);
        expect(isDone ? [done] : [...cut, done]).toContain(state);
        if (!isDone) return;
        const { exit } = await runtime.boxes.inspect("web");
        expect(exit?.reason === "host-rebooted").toBe(one.verb !== "stop");
      },
      after: endWeb,
    } satisfies VerbCase;
  });
}

/** Ends what has the part of the machine of an earlier boot. */
export async function endEarlierMachine({ home }: TemplateHome): Promise<void> {
  for (const id of await readdir(join(home, "boxes"))) {
    const record = await new InProcessEngine().find(join(home, "boxes", id, "run"));
    if (record !== undefined) killIfThere(record.process.pid);
  }
}

async function startInEarlierBoot(
  script: string,
  one: VerbCase,
  place: TemplateHome,
): Promise<void> {
  const call = { ...callOf(one, place), verb: "start", home: place.home, killAt: 0 };
  const words = [...inEarlierBoot, script, JSON.stringify(call)];
  const { stdout } = await promisify(execFile)(process.execPath, words);
  expect(JSON.parse(stdout)).toMatchObject({ type: "done" });
}

function killIfThere(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It has ended by itself.
  }
}
