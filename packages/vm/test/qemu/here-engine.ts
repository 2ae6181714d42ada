import { join } from "node:path";
import { checkMachineSpec, type Engine, type EngineCallOptions, type MachineSpec } from "@box/vm";
import { machineArguments } from "@box/vm/qemu";
import { keepLine, type Launch, type LaunchAnswer } from "../../src/qemu/launch.ts";
import { fromSentError } from "../../src/qemu/link/sent-error.ts";
import { restoreArguments } from "../../src/qemu/machine-arguments.ts";
import { descriptors, stateDescriptor } from "../../src/qemu/supervisor/qemu-process.ts";
import { superviseMachine } from "../../src/qemu/supervisor/supervise.ts";
import type { TemplatePlace } from "../../src/qemu/template/template-folder.ts";
import { fakeEngine } from "./fake-engine.ts";

/** An engine whose QEMU is played and whose supervisors are run by this process, so that coverage counts them. */
export function hereEngine(folder: string, template?: TemplatePlace): Engine {
  const engine = fakeEngine(folder);
  return {
    name: engine.name,
    probe: (options) => engine.probe(options),
    attach: (record, options) => engine.attach(record, options),
    look: (record) => engine.look(record),
    find: (directory) => engine.find(directory),
    spawn: async (spec, options = {}) => {
      checkMachineSpec(spec);
      options.signal?.throwIfAborted();
      const record = await superviseHere(launchOf(folder, spec, template), options);
      return engine.attach(record, options);
    },
  };
}

function launchOf(folder: string, spec: MachineSpec, template?: TemplatePlace): Launch {
  const boot = { kernel: "/k", initrd: "/i" };
  const words = { spec, accelerator: "tcg", descriptors, isSandboxed: true } as const;
  const args = machineArguments({ ...words, boot });
  return {
    spec,
    qemu: { path: join(folder, "qemu-system-x86_64"), args },
    template: template && {
      ...template,
      args: restoreArguments(words, stateDescriptor),
      // Others take as long as they need on a busy host.
      timeoutMs: ["endless", "silent", "slow"].includes(spec.name) ? 1000 : 60_000,
    },
    socket: join(spec.directory, "vm.sock"),
    details: { accelerator: "tcg", console: join(spec.logDirectory, "console.log") },
  };
}

async function superviseHere(launch: Launch, { signal, onEvent }: EngineCallOptions) {
  const answered = Promise.withResolvers<LaunchAnswer>();
  const decided = Promise.withResolvers<string | undefined>();
  const never = new AbortController().signal;
  const done = superviseMachine({
    input: linesOf(JSON.stringify(launch), decided.promise),
    answer: async (answer) => answered.resolve(answer),
    signal: never,
  });
  const answer = await answered.promise;
  if ("error" in answer) {
    await done;
    throw fromSentError(answer.error);
  }
  decided.resolve(signal?.aborted === true ? undefined : keepLine);
  if (signal?.aborted === true) await done;
  signal?.throwIfAborted();
  for (const warning of answer.warnings ?? []) onEvent?.({ type: "warning", ...warning });
  return answer.record;
}

/** What a starter says: the launch, and then that the machine is to be kept, or nothing. */
async function* linesOf(launch: string, decision: Promise<string | undefined>) {
  yield launch;
  const word = await decision;
  if (word !== undefined) yield word;
}
