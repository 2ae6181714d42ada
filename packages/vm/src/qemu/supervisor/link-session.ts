import type { Socket } from "node:net";
import { initialCreditBytes, linuxSignalName } from "@box/guest/protocol";
import type { GuestInfo, GuestInit, StopReport } from "../../machine.ts";
import { type Frame, type FrameKind, FrameReader, frameHeader } from "../link/frames.ts";
import type { Answer, Call, Notice, OutputName, Request } from "../link/messages.ts";
import { toSentError } from "../link/sent-error.ts";
import type { GuestListener, GuestSession } from "./guest-session.ts";

/** What a supervisor does for handles. */
export interface LinkedMachine {
  readonly guest: GuestSession;
  connect(): Promise<GuestInfo>;
  initialize(init: GuestInit): Promise<void>;
  stop(graceMs: number): Promise<StopReport>;
  /** Throws when no command may be run yet. */
  requireInitialized(): void;
}

const channels = { out: "stdout", err: "stderr" } as const;
const channelOf: Readonly<Record<OutputName, "out" | "err">> = { stdout: "out", stderr: "err" };

/**
 * One handle, in whatever process, on a machine. Its numbers of commands are its own.
 *
 * How much may be on its way is agreed between the handle and the guest: a handle that reads nothing holds up its own commands
 * only, and nothing piles up here. When it goes away its commands go on, their output is thrown away and their input ends.
 */
export class LinkSession {
  readonly #socket: Socket;
  readonly #machine: LinkedMachine;
  readonly #commands = new Map<number, RelayedCommand>();

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
      this.#commands.get(stream)?.sendInput(payload);
    } else if (kind === "message") {
      const request = JSON.parse(Buffer.from(payload).toString("utf8")) as Request;
      if ("notice" in request) this.#commands.get(request.stream)?.notice(request);
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
    switch (call.call) {
      case "connect":
        return this.#machine.connect();
      case "initialize":
        await this.#machine.initialize(call.init);
        return null;
      case "exec":
        await this.#exec(call);
        return null;
      case "stop":
        return this.#machine.stop(call.graceMs);
    }
  }

  async #exec({ request, stream }: Extract<Call, { readonly call: "exec" }>): Promise<void> {
    this.#machine.requireInitialized();
    const { guest } = this.#machine;
    const command = new RelayedCommand(guest, this, stream, () => this.#commands.delete(stream));
    this.#commands.set(stream, command);
    try {
      await guest.exec(request, command);
    } catch (error) {
      this.#commands.delete(stream);
      throw error;
    }
    // It was not known to run when its handle went away.
    if (this.#socket.destroyed) command.abandon();
  }

  #leave(): void {
    for (const command of this.#commands.values()) command.abandon();
    this.#commands.clear();
  }

  #write(kind: FrameKind, stream: number, payload: Uint8Array): void {
    if (!this.#socket.writable) return;
    this.#socket.cork();
    this.#socket.write(frameHeader(kind, stream, payload.byteLength));
    this.#socket.write(payload);
    this.#socket.uncork();
  }
}

/** A command of a handle, between it and the guest. */
class RelayedCommand implements GuestListener {
  readonly #guest: GuestSession;
  readonly #session: LinkSession;
  readonly #stream: number;
  readonly over: () => void;
  #streamId = 0;
  #inputCredit = initialCreditBytes;
  #isAbandoned = false;

  constructor(guest: GuestSession, session: LinkSession, stream: number, over: () => void) {
    this.#guest = guest;
    this.#session = session;
    this.#stream = stream;
    this.over = over;
  }

  begin(streamId: number): void {
    this.#streamId = streamId;
  }

  /** Nobody hears of it any more. */
  abandon(): void {
    this.#isAbandoned = true;
    this.#guest.tell({ type: "eof", streamId: this.#streamId });
    // What its handle had not read yet was taken from the guest's credit.
    for (const channel of ["out", "err"] as const) {
      this.#guest.tell({
        type: "credit",
        streamId: this.#streamId,
        channel,
        bytes: initialCreditBytes,
      });
    }
  }

  output(channel: "out" | "err", bytes: Uint8Array): void {
    if (!this.#isAbandoned) {
      this.#session.sendOutput(channels[channel], this.#stream, bytes);
      return;
    }
    const { byteLength } = bytes;
    this.#guest.tell({ type: "credit", streamId: this.#streamId, channel, bytes: byteLength });
  }

  end(channel: "out" | "err"): void {
    this.#session.send({ answer: "end", stream: this.#stream, output: channels[channel] });
  }

  credit(bytes: number): void {
    this.#inputCredit += bytes;
    this.#session.send({ answer: "credit", stream: this.#stream, bytes });
  }

  closed(): void {
    this.#session.send({ answer: "closed", stream: this.#stream });
  }

  exit({ exitCode, signal }: { readonly exitCode: number; readonly signal: number }): void {
    const exit = signal === 0 ? { exitCode } : { exitCode, signal: linuxSignalName(signal) };
    this.#session.send({ answer: "exit", stream: this.#stream, exit });
  }

  lost(error: Error): void {
    this.#session.send({ answer: "lost", stream: this.#stream, error: toSentError(error) });
  }

  /** Throws when that is more than the guest has agreed to take: it would give up all commands of all handles. */
  sendInput(payload: Uint8Array): void {
    if (payload.byteLength > this.#inputCredit) throw new Error("more input than was agreed");
    if (payload.byteLength === 0) return;
    this.#inputCredit -= payload.byteLength;
    const bytes = Uint8Array.from(payload);
    this.#guest.tell({ type: "data", streamId: this.#streamId, bytes });
  }

  notice(notice: Notice): void {
    const streamId = this.#streamId;
    switch (notice.notice) {
      case "eof":
        this.#guest.tell({ type: "eof", streamId });
        break;
      case "signal":
        this.#guest.tell({ type: "signal", streamId, signal: notice.signal });
        break;
      case "resize":
        this.#guest.tell({ type: "resize", streamId, ...notice.size });
        break;
      case "credit": {
        const { bytes } = notice;
        const channel = channelOf[notice.output];
        this.#guest.tell({ type: "credit", streamId, channel, bytes });
        break;
      }
    }
  }
}
