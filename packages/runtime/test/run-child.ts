import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { onTestFinished } from "vitest";
import type { ChildLine, ChildTask } from "./child.ts";

/** How a child process is started. */
export interface ChildOptions {
  /** A command and its arguments in front of it, such as strace. */
  readonly under?: readonly string[];
}

/** A child process that works on a home. */
export interface Child {
  readonly process: ChildProcess;
  /** The next line it prints; undefined when it has ended. */
  next(): Promise<ChildLine | undefined>;
  /** Its last line. */
  last(): Promise<ChildLine | undefined>;
}

const script = fileURLToPath(new URL("./child.ts", import.meta.url));

/** Starts a child process that works on a home. It is killed when the test ends. */
export function startChild(task: ChildTask, options: ChildOptions = {}): Child {
  const { under = [] } = options;
  const [command = "", ...args] = [
    ...under,
    process.execPath,
    "--conditions=@box/source",
    script,
    JSON.stringify(task),
  ];
  const child = spawn(command, args, { stdio: ["ignore", "pipe", "inherit"] });
  onTestFinished(() => {
    if (child.exitCode === null && child.signalCode === null) child.kill("SIGKILL");
  });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const next = async (): Promise<ChildLine | undefined> => {
    const { value, done } = await lines.next();
    return done ? undefined : (JSON.parse(value) as ChildLine);
  };
  const last = async (): Promise<ChildLine | undefined> => {
    let line: ChildLine | undefined;
    for (let found = await next(); found !== undefined; found = await next()) line = found;
    return line;
  };
  return { process: child, next, last };
}

/** Kills a child as a power cut would, and waits until it is gone. */
export async function killChild({ process: child }: Child): Promise<void> {
  const gone = once(child, "exit");
  child.kill("SIGKILL");
  await gone;
}
