import type { ExecExit, ExecRequest, TerminalSize } from "../../exec.ts";
import type { GuestInfo, GuestInit, MachineEvent, StopReport } from "../../machine.ts";
import type { OpenPortForward, PortForward } from "../../ports.ts";
import type { MachineStats } from "../../stats.ts";
import type { StreamRequest } from "../../streams.ts";

/** Both sides of a link speak the same version, or do not speak. */
export const linkVersion = 3;

/** Streams that a supervisor opens for handles: files are carried by calls. */
export type LinkedRequest =
  | Extract<StreamRequest, { readonly type: "connect" }>
  | { readonly type: "calls" };

/** The outputs of a command. */
export type OutputName = "stdout" | "stderr";

/** What a handle asks for; each gets one reply. */
export type Call =
  | { readonly call: "connect" }
  | { readonly call: "initialize"; readonly init: GuestInit }
  | { readonly call: "exec"; readonly request: ExecRequest; readonly stream: number }
  | { readonly call: "open"; readonly request: LinkedRequest; readonly stream: number }
  | { readonly call: "attach"; readonly stream: number }
  | { readonly call: "signal"; readonly signal: number }
  | { readonly call: "forward"; readonly forwards: readonly PortForward[] }
  | { readonly call: "stats" }
  | { readonly call: "stop"; readonly graceMs: number };

/** What the replies to calls hold. */
export interface Results {
  readonly connect: GuestInfo;
  readonly initialize: null;
  readonly exec: null;
  readonly open: null;
  readonly attach: null;
  readonly signal: null;
  readonly forward: readonly OpenPortForward[];
  readonly stats: MachineStats;
  readonly stop: StopReport;
}

/** What a handle says about a command that runs. */
export type Notice =
  | { readonly notice: "eof"; readonly stream: number }
  /** Breaks it off: a command by `SIGKILL`. Who is attached to a program leaves it. */
  | { readonly notice: "cancel"; readonly stream: number }
  | { readonly notice: "signal"; readonly stream: number; readonly signal: number }
  | { readonly notice: "resize"; readonly stream: number; readonly size: TerminalSize }
  | {
      /** So many bytes more may be sent. */
      readonly notice: "credit";
      readonly stream: number;
      readonly output: OutputName;
      readonly bytes: number;
    };

/** What a handle sends. */
export type Request = (Call & { readonly id: number }) | Notice;

/** A failure on its way to another process. */
export interface SentError {
  readonly code?: string;
  readonly message: string;
  readonly details?: Readonly<Record<string, unknown>>;
}

/** What a supervisor sends. */
export type Answer =
  | { readonly answer: "reply"; readonly id: number; readonly result: unknown }
  | { readonly answer: "failure"; readonly id: number; readonly error: SentError }
  | { readonly answer: "credit"; readonly stream: number; readonly bytes: number }
  /** No more of that output comes. */
  | { readonly answer: "end"; readonly stream: number; readonly output: OutputName }
  /** It has ended; output of it may still come. */
  | { readonly answer: "exit"; readonly stream: number; readonly exit: ExecExit }
  /** Nobody reads its input any more. */
  | { readonly answer: "closed"; readonly stream: number }
  | {
      /** Nobody can tell how it ended. */
      readonly answer: "lost";
      readonly stream: number;
      readonly error: SentError;
    }
  | { readonly answer: "event"; readonly event: MachineEvent };
