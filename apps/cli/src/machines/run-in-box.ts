import { isBoxError, kindOf } from "@box/errors";
import type { BoxExecRequest, Runtime } from "@box/runtime";
import type { ExecExit, ExecProcess } from "@box/vm";
import type { CommandContext } from "../command/define-command.ts";
import { CliError, ExitCodeError } from "../errors.ts";
import { interrupting } from "./interrupting.ts";

/** How a command of a box is connected to this process, and how it is run. */
export interface RunInBoxOptions {
  /** Whether it reads what this process reads. */
  readonly interactive: boolean;
  /** Whether it has a terminal, this process's own. */
  readonly tty: boolean;
  readonly request: BoxExecRequest;
}

/** Exit codes of what could not be run, as users of docker know them. */
const exitCodes: Readonly<Record<string, number>> = {
  VM_EXEC_NOT_FOUND: 127,
  VM_EXEC_NOT_EXECUTABLE: 126,
};
/** Box itself failed, not the command. */
const ownFailure = 125;

/** Runs a command in a box that runs, with the streams of this process. @returns How it ended. */
export async function runInBox(
  runtime: Runtime,
  name: string,
  { interactive, tty, request }: RunInBoxOptions,
  context: CommandContext,
): Promise<ExecExit> {
  const { signal } = context;
  const terminal = tty ? requireTerminal(context) : undefined;
  const size = terminal?.size();
  const running = await runtime.boxes.exec(
    name,
    { ...request, ...(size === undefined ? {} : { terminal: size }) },
    { signal },
  );
  await using _ = running;
  const release = context.onInterrupt(interrupting(running));
  // Where nobody reads them, keys such as Ctrl-C are the system's to act on.
  const leave = interactive
    ? terminal?.enter((changed) => void running.resize(changed).catch(() => {}))
    : undefined;
  try {
    if (interactive) void sendInput(running, context).catch(() => {});
    else await running.stdin.end();
    await Promise.all([
      whileTaken(running, context.writeBytes(running.stdout)),
      whileTaken(running, context.writeErrorBytes(running.stderr)),
    ]);
    return await running.wait({ signal });
  } finally {
    release();
    leave?.();
  }
}

/** Tells a command whose output nobody takes any more so, as a pipe of its own would: one that never ends would go on. */
async function whileTaken(running: ExecProcess, written: Promise<boolean>): Promise<void> {
  if (!(await written)) await running.kill("SIGPIPE").catch(() => {});
}

/** Gives failures of box itself the exit codes that `docker run` has for them. */
export async function withRunExitCodes<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const kind = kindOf(error);
    if (error instanceof ExitCodeError || kind === "aborted" || kind === "timeout") throw error;
    const own = isBoxError(error) ? exitCodes[error.code] : undefined;
    throw new ExitCodeError(error, own ?? ownFailure);
  }
}

async function sendInput({ stdin }: ExecProcess, context: CommandContext): Promise<void> {
  for await (const chunk of context.stdin()) await stdin.write(chunk);
  await stdin.end();
}

/** Refuses a terminal where there is none. @throws CliError `CLI_UNSUPPORTED`. */
export function requireTerminal({
  terminal,
}: CommandContext): NonNullable<CommandContext["terminal"]> {
  if (terminal !== undefined) return terminal;
  throw new CliError({
    code: "CLI_UNSUPPORTED",
    message: "--tty needs a terminal, and the input or the output is none",
    hint: "leave --tty out",
  });
}
