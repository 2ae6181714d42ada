import { appendFileSync } from "node:fs";
import { VmError } from "../errors.ts";
import type { ExecProcess } from "../exec.ts";
import { BytePipe } from "./byte-pipe.ts";
import type { SimulatedCommand } from "./simulated-command.ts";

interface Attached {
  readonly stdout: BytePipe;
  readonly stderr: BytePipe;
}

/** The program of a machine of the in-process engine: its output goes into a log, and to all who are attached. */
export class SimulatedProgram {
  /** Whether it has not ended. */
  isRunning = true;
  readonly #command: SimulatedCommand;
  readonly #attached = new Set<Attached>();
  readonly #keepsInput: boolean;

  constructor(command: SimulatedCommand, log: string, keepsInput: boolean) {
    this.#command = command;
    this.#keepsInput = keepsInput;
    if (!keepsInput) void command.stdin.end();
    for (const name of ["stdout", "stderr"] as const) void this.#pump(name, log).catch(() => {});
    const ended = () => {
      this.isRunning = false;
    };
    command.wait().then(ended, ended);
  }

  /** Signals it. */
  kill(signal: string): Promise<void> {
    return this.#command.kill(signal);
  }

  /** Its streams from now on. */
  attach(signal: AbortSignal | undefined): ExecProcess {
    const command = this.#command;
    const own: Attached = { stdout: new BytePipe(), stderr: new BytePipe() };
    const left = Promise.withResolvers<never>();
    left.promise.catch(() => {});
    const leave = (reason: unknown) => {
      this.#attached.delete(own);
      left.reject(reason);
      for (const pipe of [own.stdout, own.stderr]) {
        pipe.discard();
        pipe.fail(reason);
      }
    };
    this.#attached.add(own);
    signal?.addEventListener("abort", () => leave(signal.reason), { once: true });
    command.wait().then(
      () => {},
      (error: unknown) => leave(error),
    );
    return {
      stdin: {
        write: async (bytes) => {
          if (!this.#keepsInput) throw closed("it reads no input");
          await command.stdin.write(bytes);
        },
        end: async () => {},
      },
      stdout: own.stdout,
      stderr: own.stderr,
      wait: (options = {}) => Promise.race([command.wait(options), left.promise]),
      kill: (name) => command.kill(name),
      resize: (size) => command.resize(size),
      [Symbol.asyncDispose]: async () => leave(closed("the program goes on without it")),
    };
  }

  async #pump(name: "stdout" | "stderr", log: string): Promise<void> {
    for await (const chunk of this.#command[name]) {
      appendFileSync(log, chunk);
      for (const attached of this.#attached) await attached[name].write(chunk).catch(() => {});
    }
    for (const attached of this.#attached) attached[name].end();
  }
}

function closed(message: string): VmError {
  return new VmError({ code: "VM_STREAM_CLOSED", message });
}
