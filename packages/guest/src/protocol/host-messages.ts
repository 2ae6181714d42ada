/** Places where something happens, numbered by their order. */
export const agentTargets = ["box", "guest", "agent"] as const;

/** The box's own file system, that of the system that boots, or where the agent is: commands cannot run there. */
export type AgentTarget = (typeof agentTargets)[number];

/** What the host may ask of the agent. `streamId` is chosen by the host: unused in this session, 1 to 2^32 - 1. */
export type HostMessage =
  | HelloMessage
  | ExecMessage
  | CallsMessage
  /** A connection to a port on the guest's loopback. */
  | { readonly type: "connect"; readonly streamId: number; readonly port: number }
  /** Bytes for a stream. Needs credit. */
  | { readonly type: "data"; readonly streamId: number; readonly bytes: Uint8Array }
  /** No more bytes for a stream. */
  | { readonly type: "eof"; readonly streamId: number }
  /** A signal, by number, to the process group of a command. */
  | { readonly type: "signal"; readonly streamId: number; readonly signal: number }
  | {
      readonly type: "resize";
      readonly streamId: number;
      readonly rows: number;
      readonly columns: number;
    }
  /** The host takes so many bytes more of one output. */
  | {
      readonly type: "credit";
      readonly streamId: number;
      readonly channel: "out" | "err";
      readonly bytes: number;
    }
  /** Ends a stream at once: a command with `SIGKILL`. The guest still says how it ended. */
  | { readonly type: "cancel"; readonly streamId: number }
  /** Is answered by the same bytes, at most 64. */
  | { readonly type: "ping"; readonly streamId: number; readonly bytes: Uint8Array }
  /** Ends everything, writes and unmounts the disks, powers off. `graceMs` lies between `SIGTERM` and `SIGKILL`. */
  | { readonly type: "shutdown"; readonly streamId: number; readonly graceMs: number };

/** Begins a session: the guest ends all streams of earlier ones and answers with `ready`. */
export interface HelloMessage {
  readonly type: "hello";
  /** Least version of the protocol that the host speaks. */
  readonly minVersion: number;
  /** Greatest. */
  readonly maxVersion: number;
  /** How long the guest may be without a host before it powers off, in milliseconds; 0 for ever. */
  readonly graceMs: number;
  /** Comes back in `ready`, so that an answer to an earlier session is not mistaken for this one's. */
  readonly nonce: bigint;
}

/** Runs a command. Answered by `started` or `fail`. */
export interface ExecMessage {
  readonly type: "exec";
  /** The stream that answers. */
  readonly streamId: number;
  /** Where it happens. */
  readonly target: AgentTarget;
  /** Gives it a terminal. */
  readonly terminal?: { readonly rows: number; readonly columns: number };
  /** The user that it runs as. */
  readonly uid: number;
  /** Its group. */
  readonly gid: number;
  /** Further groups. */
  readonly groups: readonly number[];
  /** Absolute; empty for the root folder. */
  readonly workingDirectory: string;
  /** Paths of the program that are tried in their order, see `programPlaces`; without any it is not found. */
  readonly places: readonly string[];
  /** The program and its arguments. */
  readonly command: readonly string[];
  /** `NAME=VALUE`. */
  readonly environment: readonly string[];
}

/** Starts a process that carries out the system calls that it is sent, see `CallBatch`; its answers are its output. */
export interface CallsMessage {
  readonly type: "calls";
  /** The stream that answers. */
  readonly streamId: number;
  /** Where it happens. */
  readonly target: AgentTarget;
}

/** What every HELLO begins with: a guest that has lost its place finds the next session by it. */
export const helloMagic = "box-agent-hello\n";
