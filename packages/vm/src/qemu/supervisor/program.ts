import { initialCreditBytes, linuxSignalName, maxDataBytes } from "@box/guest/protocol";
import { VmError } from "../../errors.ts";
import type { ExecExit } from "../../exec.ts";
import type { ProgramRequest } from "../../machine.ts";
import type { Notice } from "../link/messages.ts";
import { toSentError } from "../link/sent-error.ts";
import type { GuestListener, GuestSession } from "./guest-session.ts";
import {
  channelOf,
  type HandleLink,
  type LinkedProgram,
  type LinkedStream,
  outputNames,
} from "./linked-stream.ts";

/** What a {@link Program} is made from. */
export interface ProgramOptions {
  readonly guest: GuestSession;
  /** Keeps what it writes. */
  readonly log: { write(bytes: Uint8Array): void };
  /** Called once, when it has ended. */
  readonly onExit: (exit: ExecExit) => void;
}

type Channel = "out" | "err";
const channels: readonly Channel[] = ["out", "err"];

/** The program that a machine runs for. What it writes goes into a log, and to all who are attached: it waits for the slowest of them. */
export class Program implements GuestListener, LinkedProgram {
  readonly #options: ProgramOptions;
  readonly #attached = new Set<Attachment>();
  /** Bytes of each output that the guest has not got credit for again. */
  readonly #owed: Record<Channel, number> = { out: 0, err: 0 };
  readonly #ended = new Set<Channel>();
  readonly #input: { readonly from: Attachment; bytes: Uint8Array }[] = [];
  #inputCredit = initialCreditBytes;
  #isInputClosed = false;
  #isRunning = false;
  #streamId = 0;

  constructor(options: ProgramOptions) {
    this.#options = options;
  }

  /** Starts it. @throws VmError `VM_EXEC_*`. */
  async start({ keepsInput = false, ...request }: ProgramRequest): Promise<void> {
    this.#isRunning = true;
    try {
      await this.#options.guest.exec(request, this);
    } catch (error) {
      this.#isRunning = false;
      throw error;
    }
    if (keepsInput) return;
    this.#isInputClosed = true;
    this.#options.guest.tell({ type: "eof", streamId: this.#streamId });
  }

  /** Whether it was started and has not ended. */
  get isRunning(): boolean {
    return this.#isRunning;
  }

  /** Connects a stream of a handle to it. @param over - Called when the handle can forget the stream. */
  attach(link: HandleLink, stream: number, over: () => void): LinkedStream {
    const attachment = new Attachment(this, link, stream, () => {
      over();
      this.#attached.delete(attachment);
      this.#grant();
    });
    this.#attached.add(attachment);
    for (const channel of this.#ended) attachment.end(channel);
    if (this.#isInputClosed) attachment.closed();
    return attachment;
  }

  /** Signals its process group; resolves when the guest has taken the signal. */
  async signal(signal: number): Promise<void> {
    this.tell({ notice: "signal", stream: 0, signal });
    // Frames are served in order.
    await this.#options.guest.ping();
  }

  /** Passes on what somebody who is attached says. */
  tell(notice: Extract<Notice, { readonly notice: "signal" | "resize" }>): void {
    const { guest } = this.#options;
    const streamId = this.#streamId;
    if (notice.notice === "signal") guest.tell({ type: "signal", streamId, signal: notice.signal });
    else guest.tell({ type: "resize", streamId, ...notice.size });
  }

  /** Takes input for it; who sent it gets credit again when the guest has room for it. */
  take(from: Attachment, bytes: Uint8Array): void {
    this.#input.push({ from, bytes });
    this.#pump();
  }

  /** Lets the guest send more, as far as all who are attached have read. */
  taken(): void {
    this.#grant();
  }

  begin(streamId: number): void {
    this.#streamId = streamId;
  }

  output(channel: Channel, bytes: Uint8Array): void {
    this.#options.log.write(bytes);
    this.#owed[channel] += bytes.byteLength;
    for (const attachment of this.#attached) attachment.output(channel, bytes);
    this.#grant();
  }

  end(channel: Channel): void {
    this.#ended.add(channel);
    for (const attachment of this.#attached) attachment.end(channel);
  }

  credit(bytes: number): void {
    this.#inputCredit += bytes;
    this.#pump();
  }

  closed(): void {
    this.#isInputClosed = true;
    for (const attachment of this.#attached) attachment.closed();
    this.#pump();
  }

  exit({ exitCode, signal }: { readonly exitCode: number; readonly signal: number }): void {
    const exit = signal === 0 ? { exitCode } : { exitCode, signal: linuxSignalName(signal) };
    this.#isRunning = false;
    for (const attachment of this.#attached) attachment.exit(exit);
    this.#options.onExit(exit);
  }

  lost(error: Error): void {
    this.#isRunning = false;
    for (const attachment of this.#attached) attachment.lost(error);
  }

  over(): void {
    for (const attachment of this.#attached) attachment.over();
  }

  #grant(): void {
    const streamId = this.#streamId;
    for (const channel of channels) {
      const unread = Math.max(0, ...[...this.#attached].map(({ unread }) => unread[channel]));
      const bytes = this.#owed[channel] - unread;
      if (bytes <= 0) continue;
      this.#owed[channel] -= bytes;
      this.#options.guest.tell({ type: "credit", streamId, channel, bytes });
    }
  }

  #pump(): void {
    const streamId = this.#streamId;
    for (;;) {
      const [first] = this.#input;
      const most = this.#isInputClosed ? maxDataBytes : Math.min(this.#inputCredit, maxDataBytes);
      if (first === undefined || most === 0) return;
      const bytes = first.bytes.slice(0, most);
      if (!this.#isInputClosed) {
        this.#inputCredit -= bytes.byteLength;
        this.#options.guest.tell({ type: "data", streamId, bytes });
      }
      first.from.credit(bytes.byteLength);
      first.bytes = first.bytes.subarray(bytes.byteLength);
      if (first.bytes.byteLength === 0) this.#input.shift();
    }
  }
}

/** A stream of a handle that is connected to a program. */
class Attachment implements LinkedStream {
  /** Bytes of each output that its handle has not told to have read. */
  readonly unread: Record<Channel, number> = { out: 0, err: 0 };
  /** It is no more. */
  readonly over: () => void;
  readonly #program: Program;
  readonly #link: HandleLink;
  readonly #stream: number;
  #inputCredit = initialCreditBytes;

  constructor(program: Program, link: HandleLink, stream: number, over: () => void) {
    this.#program = program;
    this.#link = link;
    this.#stream = stream;
    this.over = over;
  }

  sendInput(payload: Uint8Array): void {
    if (payload.byteLength > this.#inputCredit) throw new Error("more input than was agreed");
    if (payload.byteLength === 0) return;
    this.#inputCredit -= payload.byteLength;
    this.#program.take(this, Uint8Array.from(payload));
  }

  notice(notice: Notice): void {
    switch (notice.notice) {
      case "credit": {
        const channel = channelOf[notice.output];
        this.unread[channel] = Math.max(0, this.unread[channel] - notice.bytes);
        this.#program.taken();
        break;
      }
      case "cancel":
        this.lost(
          new VmError({ code: "VM_STREAM_CLOSED", message: "the program goes on without it" }),
        );
        this.over();
        break;
      case "signal":
      case "resize":
        this.#program.tell(notice);
        break;
      default: // The end of its input is not that of the program's.
    }
  }

  abandon(): void {
    this.over();
  }

  output(channel: Channel, bytes: Uint8Array): void {
    this.unread[channel] += bytes.byteLength;
    this.#link.sendOutput(outputNames[channel], this.#stream, bytes);
  }

  end(channel: Channel): void {
    this.#link.send({ answer: "end", stream: this.#stream, output: outputNames[channel] });
  }

  credit(bytes: number): void {
    this.#inputCredit += bytes;
    this.#link.send({ answer: "credit", stream: this.#stream, bytes });
  }

  closed(): void {
    this.#link.send({ answer: "closed", stream: this.#stream });
  }

  exit(exit: ExecExit): void {
    this.#link.send({ answer: "exit", stream: this.#stream, exit });
  }

  lost(error: Error): void {
    this.#link.send({ answer: "lost", stream: this.#stream, error: toSentError(error) });
  }
}
