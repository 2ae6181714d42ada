import type { Answer, Notice, OutputName } from "../link/messages.ts";

/** What a handle may say about one of its streams. */
export interface LinkedStream {
  /** Throws when that is more than was agreed. */
  sendInput(payload: Uint8Array): void;
  notice(notice: Notice): void;
  /** Nobody hears of it any more. */
  abandon(): void;
}

/** The way back to a handle. */
export interface HandleLink {
  /** Tells the handle something. */
  send(answer: Answer): void;
  /** Output of a stream for the handle. */
  sendOutput(name: OutputName, stream: number, bytes: Uint8Array): void;
}

/** A program that streams of handles can be connected to. */
export interface LinkedProgram {
  /** @param over - Called when the handle can forget the stream. */
  attach(link: HandleLink, stream: number, over: () => void): LinkedStream;
  /** Signals its process group; resolves when the guest has taken the signal. */
  signal(signal: number): Promise<void>;
}

/** The names of outputs on the link, by those of the agent. */
export const outputNames = { out: "stdout", err: "stderr" } as const;

/** The other way around. */
export const channelOf: Readonly<Record<OutputName, "out" | "err">> = {
  stdout: "out",
  stderr: "err",
};
