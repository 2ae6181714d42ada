import type { Socket } from "node:net";
import type { GuestInfo, GuestInit, StopReport } from "../../machine.ts";
import type { OpenPortForward, PortForward } from "../../ports.ts";
import type { MachineStats } from "../../stats.ts";
import { type Frame, type FrameKind, FrameReader, frameHeader } from "../link/frames.ts";
import type { Answer, Call, OutputName, Request } from "../link/messages.ts";
import { toSentError } from "../link/sent-error.ts";
import type { GuestSession } from "./guest-session.ts";
import type { HandleLink, LinkedProgram, LinkedStream } from "./linked-stream.ts";
import { RelayedStream } from "./relayed-stream.ts";

/** What a supervisor does for handles. */
export interface LinkedMachine {
  readonly guest: GuestSession;
  connect(): Promise<GuestInfo>;
  initialize(init: GuestInit): Promise<void>;
  stop(graceMs: number): Promise<StopReport>;
  /** Throws when no command may be run yet. */
  requireInitialized(): void;
  /** Forwards more ports. @returns All that are. */
  forward(forwards: readonly PortForward[]): Promise<readonly OpenPortForward[]>;
  /** What it uses now. */
  stats(): Promise<MachineStats>;
  /** The program that it runs for. @throws VmError `VM_NO_PROGRAM`. */
  requireProgram(): LinkedProgram;
}

/**
 * One handle, in whatever process, on a machine. Its numbers of commands are its own.
 *
 * How much may be on its way is agreed between the handle and the guest: a handle that reads nothing holds up its own commands
 * only, and nothing piles up here. When it goes away its commands go on, their output is thrown away and their input ends.
 */
export class LinkSession implements HandleLink {
  readonly #socket: Socket;
  readonly #machine: LinkedMachine;
  readonly #streams = new Map<number, LinkedStream>();

  constructor(socket: Socket, machine: LinkedMachine) {
    this.#socket = socket;
    this.#machine = machine;
    const reader = new FrameReader();
    socket.on("data", (chunk: Uint8Array) => {
      try {
        for (const frame of reader.push(chunk)) this.#handle(frame);
      } catch {
        // It is no handle of this version.
        socket.destroy();
      }
    });
    socket.on("error", () => {});
    socket.on("close", () => this.#leave());
  }

  /** Tells the handle something. */
  send(answer: Answer): void {
    this.#write("message", 0, Buffer.from(JSON.stringify(answer)));
  }

  /** Output of a command for the handle. */
  sendOutput(name: OutputName, stream: number, bytes: Uint8Array): void {
    this.#write(name, stream, Buffer.from(bytes));
  }

  /** Says goodbye; resolves when everything was sent, or the handle has gone away, or takes too long. */
  async end(timeoutMs: number): Promise<void> {
    if (this.#socket.destroyed) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#socket.once("close", () => resolve());
    this.#socket.end();
    const timer = setTimeout(() => this.#socket.destroy(), timeoutMs);
    await promise;
    clearTimeout(timer);
  }

  #handle({ kind, stream, payload }: Frame): void {
    if (kind === "stdin") {
      this.#streams.get(stream)?.sendInput(payload);
    } else if (kind === "message") {
      const request = JSON.parse(Buffer.from(payload).toString("utf8")) as Request;
      if ("notice" in request) this.#streams.get(request.stream)?.notice(request);
      else void this.#answer(request);
    }
  }

  async #answer(call: Call & { readonly id: number }): Promise<void> {
    try {
      const result = await this.#carryOut(call);
      this.send({ answer: "reply", id: call.id, result });
    } catch (error) {
      this.send({ answer: "failure", id: call.id, error: toSentError(error) });
    }
  }

  async #carryOut(call: Call): Promise<unknown> {
    const { guest } = this.#machine;
    switch (call.call) {
      case "connect":
        return this.#machine.connect();
      case "initialize":
        await this.#machine.initialize(call.init);
        return null;
      case "exec":
        await this.#relay(call.stream, true, (relayed) => guest.exec(call.request, relayed));
        return null;
      case "open":
        await this.#relay(call.stream, false, (relayed) => guest.open(call.request, relayed));
        return null;
      case "attach": {
        const { stream } = call;
        const over = () => this.#streams.delete(stream);
        this.#streams.set(stream, this.#machine.requireProgram().attach(this, stream, over));
        return null;
      }
      case "signal":
        await this.#machine.requireProgram().signal(call.signal);
        return null;
      case "forward":
        this.#machine.requireInitialized();
        return this.#machine.forward(call.forwards);
      case "stats":
        this.#machine.requireInitialized();
        return this.#machine.stats();
      case "stop":
        return this.#machine.stop(call.graceMs);
    }
  }

  async #relay(
    stream: number,
    goesOn: boolean,
    start: (relayed: RelayedStream) => Promise<void>,
  ): Promise<void> {
    this.#machine.requireInitialized();
    const { guest } = this.#machine;
    const over = () => this.#streams.delete(stream);
    const relayed = new RelayedStream({ guest, session: this, stream, goesOn, over });
    this.#streams.set(stream, relayed);
    try {
      await start(relayed);
    } catch (error) {
      this.#streams.delete(stream);
      throw error;
    }
    // It was not known to run when its handle went away.
    if (this.#socket.destroyed) relayed.abandon();
  }

  #leave(): void {
    for (const stream of this.#streams.values()) stream.abandon();
    this.#streams.clear();
  }

  #write(kind: FrameKind, stream: number, payload: Uint8Array): void {
    if (!this.#socket.writable) return;
    this.#socket.cork();
    this.#socket.write(frameHeader(kind, stream, payload.byteLength));
    this.#socket.write(payload);
    this.#socket.uncork();
  }
}
