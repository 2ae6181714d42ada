import { initialCreditBytes, maxDataBytes } from "@box/guest/protocol";
import { VmError } from "../../errors.ts";
import type { ExecExit, ExecInput, ExecProcess, TerminalSize } from "../../exec.ts";
import { signalNumber } from "../../signal-number.ts";
import { untilAborted } from "../until-aborted.ts";
import type { CommandListener, LinkClient } from "./link-client.ts";
import type { OutputName } from "./messages.ts";
import { RemoteOutput } from "./remote-output.ts";

/** A command that runs in a machine, or another stream of it, as a handle sees it. */
export class RemoteProcess implements ExecProcess, CommandListener {
  readonly stdin: ExecInput;
  readonly stdout: RemoteOutput = new RemoteOutput((bytes) => this.#taken("stdout", bytes));
  readonly stderr: RemoteOutput = new RemoteOutput((bytes) => this.#taken("stderr", bytes));
  /** Its number on the link. */
  readonly stream: number;
  /** Resolves when nothing more comes of it. */
  readonly over: Promise<void>;
  readonly #link: LinkClient;
  readonly #release: () => void;
  readonly #exit = Promise.withResolvers<ExecExit>();
  readonly #over = Promise.withResolvers<void>();
  readonly #openOutputs = new Set<OutputName>(["stdout", "stderr"]);
  readonly #untold: Record<OutputName, number> = { stdout: 0, stderr: 0 };
  #leave: () => void = () => {};
  #inputCredit = initialCreditBytes;
  #inputChange = Promise.withResolvers<void>();
  #lastWrite: Promise<void> = Promise.resolve();
  #isInputEnded = false;
  #isDone = false;
  #failure: { readonly error: unknown } | undefined;

  constructor(link: LinkClient) {
    this.#link = link;
    this.stream = link.listen(this);
    this.#release = link.hold();
    this.over = this.#over.promise;
    this.#exit.promise.catch(() => {});
    this.stdin = { write: (bytes) => this.#write(bytes), end: () => this.#endInput() };
  }

  /** Breaks it off when the signal aborts: a command by `SIGKILL`. */
  endWith(signal: AbortSignal | undefined): void {
    const abort = () => {
      this.cancel();
      this.fail(signal?.reason);
    };
    if (signal?.aborted === true) {
      abort();
      return;
    }
    signal?.addEventListener("abort", abort, { once: true });
    this.#leave = () => signal?.removeEventListener("abort", abort);
  }

  output(name: OutputName, bytes: Uint8Array): void {
    if (this.#failure === undefined) this[name].push(bytes);
    else this.#taken(name, bytes.byteLength);
  }

  end(name: OutputName): void {
    this[name].end();
    this.#openOutputs.delete(name);
    this.#forgetWhenOver();
  }

  credit(bytes: number): void {
    this.#inputCredit += bytes;
    this.#wake();
  }

  closed(): void {
    this.#isInputEnded = true;
    this.#wake();
  }

  exit(exit: ExecExit): void {
    this.#exit.resolve(exit);
    this.#finish();
    this.#forgetWhenOver();
  }

  lost(error: Error): void {
    this.fail(error);
    this.#openOutputs.clear();
    this.#forgetWhenOver();
  }

  /** Ends it for its user: the machine has ended, or the caller gave it up. */
  fail(error: unknown): void {
    if (this.#openOutputs.size === 0 && this.#isDone) return;
    this.#failure ??= { error };
    this.#exit.reject(error);
    this.#finish();
    for (const output of [this.stdout, this.stderr]) output.fail(error);
  }

  async wait({ signal }: { readonly signal?: AbortSignal } = {}): Promise<ExecExit> {
    return untilAborted(this.#exit.promise, signal);
  }

  async kill(signal = "SIGTERM"): Promise<void> {
    const number = signalNumber(signal);
    if (!this.#isDone) this.#link.notify({ notice: "signal", stream: this.stream, signal: number });
  }

  async resize(size: TerminalSize): Promise<void> {
    if (this.#isDone) return;
    this.#link.notify({ notice: "resize", stream: this.stream, size });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.cancel();
    for (const output of [this.stdout, this.stderr]) output.discard();
  }

  /** Breaks it off: a command by `SIGKILL`. Who is attached to a program leaves it. */
  cancel(): void {
    if (!this.#isDone) this.#link.notify({ notice: "cancel", stream: this.stream });
  }

  /** Writes come one after another, however many are waited for at once. */
  async #write(bytes: Uint8Array): Promise<void> {
    const own = Uint8Array.from(bytes);
    const write = this.#lastWrite.then(() => this.#send(own));
    this.#lastWrite = write.catch(() => {});
    await write;
  }

  async #send(bytes: Uint8Array): Promise<void> {
    this.#requireInput();
    for (let at = 0; at < bytes.byteLength; ) {
      while (this.#inputCredit === 0) {
        await this.#inputChange.promise;
        this.#requireInput();
      }
      const length = Math.min(bytes.byteLength - at, this.#inputCredit, maxDataBytes);
      this.#inputCredit -= length;
      this.#link.sendInput(this.stream, bytes.subarray(at, at + length));
      at += length;
    }
  }

  async #endInput(): Promise<void> {
    await this.#lastWrite;
    if (this.#isInputEnded || this.#isDone) return;
    this.#isInputEnded = true;
    this.#link.notify({ notice: "eof", stream: this.stream });
  }

  #requireInput(): void {
    if (this.#failure !== undefined) throw this.#failure.error;
    if (!this.#isInputEnded && !this.#isDone) return;
    throw new VmError({
      code: "VM_STREAM_CLOSED",
      message: "cannot write to a command that takes no more input",
    });
  }

  /** Lets more come once enough was read that it is worth a message. */
  #taken(output: OutputName, bytes: number): void {
    this.#untold[output] += bytes;
    const untold = this.#untold[output];
    if (untold < initialCreditBytes / 4 || !this.#openOutputs.has(output)) return;
    this.#untold[output] = 0;
    this.#link.notify({ notice: "credit", stream: this.stream, output, bytes: untold });
  }

  /** It has ended, or nobody will hear how. */
  #finish(): void {
    this.#isDone = true;
    this.#leave();
    this.#wake();
    if (this.#failure !== undefined) this.#giveBack();
  }

  #forgetWhenOver(): void {
    if (!this.#isDone || this.#openOutputs.size > 0) return;
    this.#giveBack();
    this.#link.forget(this.stream);
  }

  #giveBack(): void {
    this.#release();
    this.#over.resolve();
  }

  #wake(): void {
    this.#inputChange.resolve();
    this.#inputChange = Promise.withResolvers<void>();
  }
}
