import type { ExecExit, ExecInput, ExecProcess, ExecRequest, TerminalSize } from "../exec.ts";
import { signalNumber } from "../signal-number.ts";
import { BytePipe } from "./byte-pipe.ts";
import type { GuestProgram } from "./guest-programs.ts";

/** A command of a simulated guest. */
export class SimulatedCommand implements ExecProcess {
  readonly #stdin = new BytePipe();
  readonly #stdout = new BytePipe();
  readonly #stderr = new BytePipe();
  readonly #ended = new AbortController();
  readonly #handlers = new Map<string, () => void>();
  readonly #exit = Promise.withResolvers<ExecExit>();
  #size = Promise.withResolvers<TerminalSize>();
  #isDone = false;

  constructor(request: ExecRequest, program: GuestProgram, signal: AbortSignal | undefined) {
    this.#exit.promise.catch(() => {});
    const { terminal } = request;
    void this.#run(request, program, terminal === undefined ? this.#stderr : this.#stdout);
    const abort = () => {
      if (this.#isDone) return;
      this.fail(signal?.reason);
    };
    signal?.addEventListener("abort", abort, { once: true });
  }

  get stdin(): ExecInput {
    return {
      write: (bytes) => this.#stdin.write(bytes),
      end: async () => this.#stdin.end(),
    };
  }

  get stdout(): AsyncIterable<Uint8Array> {
    return this.#stdout;
  }

  get stderr(): AsyncIterable<Uint8Array> {
    return this.#stderr;
  }

  async wait({ signal }: { readonly signal?: AbortSignal } = {}): Promise<ExecExit> {
    signal?.throwIfAborted();
    const left = Promise.withResolvers<never>();
    const leave = () => left.reject(signal?.reason);
    signal?.addEventListener("abort", leave, { once: true });
    try {
      return await Promise.race([this.#exit.promise, left.promise]);
    } finally {
      signal?.removeEventListener("abort", leave);
    }
  }

  async kill(signal = "SIGTERM"): Promise<void> {
    if (this.#isDone) return;
    const handler = this.#handlers.get(signal);
    if (handler !== undefined) handler();
    else this.#endBy(signal);
  }

  async resize(size: TerminalSize): Promise<void> {
    this.#size.resolve(size);
    this.#size = Promise.withResolvers<TerminalSize>();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill("SIGKILL");
    for (const stream of [this.#stdout, this.#stderr]) stream.discard();
  }

  /** Ends it with an error: the machine has died, or the caller gave it up. */
  fail(error: unknown): void {
    if (this.#isDone) return;
    this.#isDone = true;
    this.#ended.abort("SIGKILL");
    this.#exit.reject(error);
    for (const stream of [this.#stdin, this.#stdout, this.#stderr]) stream.fail(error);
  }

  async #run(request: ExecRequest, program: GuestProgram, errors: BytePipe): Promise<void> {
    const { command } = request;
    const nextSize = () => this.#size.promise;
    try {
      const exitCode = await program({
        args: command.slice(1),
        request,
        stdin: this.#stdin,
        write: (bytes) => this.#stdout.write(bytes),
        writeError: (bytes) => errors.write(bytes),
        ended: this.#ended.signal,
        nextSize,
        handle: (name) => {
          const { promise, resolve } = Promise.withResolvers<void>();
          this.#handlers.set(name, resolve);
          return promise;
        },
      });
      this.#finish({ exitCode });
    } catch (error) {
      this.fail(error);
    }
  }

  #endBy(signal: string): void {
    const number = signalNumber(signal);
    this.#finish({ exitCode: 128 + number, signal });
    this.#ended.abort(signal);
  }

  #finish(exit: ExecExit): void {
    if (this.#isDone) return;
    this.#isDone = true;
    this.#exit.resolve(exit);
    for (const stream of [this.#stdin, this.#stdout, this.#stderr]) stream.end();
  }
}
