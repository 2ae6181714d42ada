import type { Runtime } from "@box/runtime";
import type { ExecExit, ExecProcess } from "@box/vm";
import type { CommandContext } from "../command/define-command.ts";
import { DetachKeys } from "./detach-keys.ts";
import { interrupting } from "./interrupting.ts";

/** How this process is connected to a box's program. */
export interface AttachOptions {
  /** Whether what this process reads goes to it. */
  readonly sendsInput: boolean;
  /** What is typed to leave it, where this process has a terminal and the program too. */
  readonly detachKeys: Uint8Array;
}

/** Connects the streams of this process to the program of a box. @returns How it ended; undefined when it was left. */
export async function attachToBox(
  { boxes }: Runtime,
  name: string,
  { sendsInput, detachKeys }: AttachOptions,
  context: CommandContext,
): Promise<ExecExit | undefined> {
  const { signal } = context;
  const { run } = await boxes.inspect(name);
  const running = await boxes.attach(name, { signal });
  await using _ = running;
  const terminal = run.terminal === true ? context.terminal : undefined;
  const resize = (size: { readonly rows: number; readonly columns: number }) =>
    void running.resize(size).catch(() => {});
  const reads = sendsInput && run.keepsInput === true;
  // Where nobody reads them, keys such as Ctrl-C are the system's to act on.
  const leave = reads ? terminal?.enter(resize) : undefined;
  if (terminal !== undefined) resize(terminal.size());
  const keys = terminal === undefined ? undefined : new DetachKeys(detachKeys);
  const left = reads ? sendInput(running, keys, context) : never;
  const release = sendsInput ? context.onInterrupt(interrupting(running, ["SIGINT"])) : undefined;
  const ended = follow(running, context);
  // Who leaves it does not hear how it goes on.
  ended.catch(() => {});
  try {
    return await Promise.race([ended, left]);
  } finally {
    release?.();
    leave?.();
  }
}

const never = new Promise<never>(() => {});

/** Resolves when the program has ended, or who reads its output has left. */
async function follow(
  running: ExecProcess,
  context: CommandContext,
): Promise<ExecExit | undefined> {
  const errors = context.writeErrorBytes(running.stderr);
  errors.catch(() => {});
  if (!(await context.writeBytes(running.stdout))) return undefined;
  await errors;
  return running.wait({ signal: context.signal });
}

/** Sends what is typed or piped in; resolves when the keys to leave were typed, and never otherwise. */
async function sendInput(
  { stdin }: ExecProcess,
  keys: DetachKeys | undefined,
  context: CommandContext,
): Promise<undefined> {
  try {
    for await (const chunk of context.stdin()) {
      const { bytes, isDetached } = keys?.push(chunk) ?? { bytes: chunk, isDetached: false };
      if (bytes.byteLength > 0) await stdin.write(bytes);
      if (isDetached) return;
    }
  } catch {
    // The program takes no more input: how it goes on is told by its output.
  }
  await never;
}
