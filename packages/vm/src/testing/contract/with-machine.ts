import type { ExecExit, ExecProcess } from "../../exec.ts";
import type { Machine } from "../../machine.ts";
import type { ContractSubject } from "./subject.ts";

/** Runs `use` with a machine that is ready for commands, and ends the machine whatever happens. */
export async function withMachine(
  subject: ContractSubject,
  use: (machine: Machine) => Promise<void>,
): Promise<void> {
  await withSpawned(subject, async (machine) => {
    await machine.connect();
    await machine.initialize({ hostname: "contract" });
    await use(machine);
  });
}

/** Runs `use` with a machine whose process was just started, and ends the machine whatever happens. */
export async function withSpawned(
  { engine, spec }: ContractSubject,
  use: (machine: Machine) => Promise<void>,
): Promise<void> {
  await using machine = await engine.spawn(await spec());
  try {
    await use(machine);
  } finally {
    await machine.stop({ graceMs: 0 });
  }
}

/** Everything that a stream of a command gives, as text. */
export async function textOf(stream: AsyncIterable<Uint8Array>): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  for await (const chunk of stream) text += decoder.decode(chunk, { stream: true });
  return text + decoder.decode();
}

/** What a command wrote, and how it ended. */
export interface ExecResult {
  /** Its output. */
  readonly stdout: string;
  /** Its error output. */
  readonly stderr: string;
  /** Its end. */
  readonly exit: ExecExit;
}

/** Reads both streams of a command to their end. */
export async function resultOf(running: ExecProcess): Promise<ExecResult> {
  const [stdout, stderr, exit] = await Promise.all([
    textOf(running.stdout),
    textOf(running.stderr),
    running.wait(),
  ]);
  return { stdout, stderr, exit };
}
