import { toErrorReport } from "@box/errors";
import { nodeFileSystem, observeFileSystem } from "@box/io/node";
import { Runtime } from "@box/runtime";
import { InProcessEngine } from "@box/vm/testing";
import { StateDatabase } from "../../src/state/database.ts";
import { FakeImages } from "../fake-images.ts";
import { callVerb, type VerbCall } from "./call-verb.ts";

/** A verb that a child process carries out on a home. */
export interface VerbTask extends VerbCall {
  /** The home. */
  readonly home: string;
  /** At which operation it dies by SIGKILL: file system calls and both ends of state transactions count; 0 for none. */
  readonly killAt: number;
}

/** What the child prints. */
export type VerbEnd =
  | { readonly type: "done"; readonly operations: number }
  | { readonly type: "error"; readonly code: string; readonly message: string };

let operations = 0;

const task = JSON.parse(process.argv[2] ?? "") as VerbTask;
try {
  const engine = new InProcessEngine();
  await using runtime = await Runtime.open({ home: task.home, images: new FakeImages(), engine });
  countOperations(task.killAt);
  await callVerb(runtime, task);
  end({ type: "done", operations });
} catch (error) {
  const { code, message } = toErrorReport(error);
  end({ type: "error", code, message });
}

function end(line: VerbEnd): void {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}

/** From here on every operation counts, and the one with this number is the last. */
function countOperations(killAt: number): void {
  const step = (): void => {
    operations += 1;
    if (operations === killAt) process.kill(process.pid, "SIGKILL");
  };
  Object.assign(nodeFileSystem, observeFileSystem({ ...nodeFileSystem }, step));
  const { transaction } = StateDatabase.prototype;
  StateDatabase.prototype.transaction = function counted<Result>(
    this: StateDatabase,
    work: () => Result,
  ): Result {
    step();
    const result = transaction.call(this, work) as Result;
    step();
    return result;
  };
}
