import { initialCreditBytes, linuxSignalName } from "@box/guest/protocol";
import type { Notice } from "../link/messages.ts";
import { toSentError } from "../link/sent-error.ts";
import type { GuestListener, GuestSession } from "./guest-session.ts";
import { channelOf, type HandleLink, type LinkedStream, outputNames } from "./linked-stream.ts";

/** A stream of a handle, such as a command, between it and the guest. */
export class RelayedStream implements GuestListener, LinkedStream {
  readonly #guest: GuestSession;
  readonly #session: HandleLink;
  readonly #stream: number;
  readonly over: () => void;
  readonly #goesOn: boolean;
  #streamId = 0;
  #inputCredit = initialCreditBytes;
  #isAbandoned = false;

  constructor(options: {
    readonly guest: GuestSession;
    readonly session: HandleLink;
    readonly stream: number;
    /** Whether it goes on when its handle goes away, as a command does. */
    readonly goesOn: boolean;
    readonly over: () => void;
  }) {
    this.#guest = options.guest;
    this.#session = options.session;
    this.#stream = options.stream;
    this.#goesOn = options.goesOn;
    this.over = options.over;
  }

  begin(streamId: number): void {
    this.#streamId = streamId;
  }

  /** Nobody hears of it any more. */
  abandon(): void {
    this.#isAbandoned = true;
    const streamId = this.#streamId;
    this.#guest.tell({ type: this.#goesOn ? "eof" : "cancel", streamId });
    // What its handle had not read yet was taken from the guest's credit.
    for (const channel of ["out", "err"] as const) {
      this.#guest.tell({ type: "credit", streamId, channel, bytes: initialCreditBytes });
    }
  }

  output(channel: "out" | "err", bytes: Uint8Array): void {
    if (!this.#isAbandoned) {
      this.#session.sendOutput(outputNames[channel], this.#stream, bytes);
      return;
    }
    const { byteLength } = bytes;
    this.#guest.tell({ type: "credit", streamId: this.#streamId, channel, bytes: byteLength });
  }

  end(channel: "out" | "err"): void {
    this.#session.send({ answer: "end", stream: this.#stream, output: outputNames[channel] });
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
      case "cancel":
        this.#guest.tell({ type: "cancel", streamId });
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
