import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { onTestFinished } from "vitest";
import type { CycleLine } from "./cycle-child.ts";

/** A process that makes and removes boxes. */
export interface CycleProcess {
  /** What it tells after its next cycle; undefined when it has ended. */
  next(): Promise<CycleLine | undefined>;
  /** Kills it as a cut of the power would. */
  kill(): void;
  /** Its exit code, null when it was killed. */
  readonly ended: Promise<number | null>;
}

/**
 * The space for young objects stays small, which V8 otherwise doubles twice in the course of thousands of cycles, by
 * 25 and by 50 MB: what the process then takes grows only by what it keeps.
 */
const youngSpace = "--max-semi-space-size=4";
const script = fileURLToPath(new URL("./cycle-child.ts", import.meta.url));

/** Starts one. It is killed when the test ends. */
export function startCycles(home: string, cycles: number): CycleProcess {
  const args = [
    youngSpace,
    "--expose-gc",
    "--conditions=@box/source",
    script,
    home,
    String(cycles),
  ];
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
  const ended = once(child, "exit").then(([code]) => code as number | null);
  const kill = () => {
    if (child.exitCode === null && child.signalCode === null) child.kill("SIGKILL");
  };
  onTestFinished(kill);
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const next = async (): Promise<CycleLine | undefined> => {
    const { value, done } = await lines.next();
    return done ? undefined : (JSON.parse(value) as CycleLine);
  };
  return { next, kill, ended };
}
