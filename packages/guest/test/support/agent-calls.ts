import {
  Caller,
  CallFailure,
  type GuestUser,
  type MountRequest,
  type MountWarning,
  mountGuest,
  readUserFiles,
  resolveUser,
} from "@box/guest/calls";
import { type AgentTarget, initialCreditBytes } from "@box/guest/protocol";
import type { AgentHost } from "./agent-host.ts";

/** A process of an agent that carries out calls, and the stream to it. */
export interface AgentCalls {
  readonly caller: Caller;
  readonly streamId: number;
  /** Sends it bytes, whatever they are. */
  write(bytes: Uint8Array): Promise<void>;
  /** Ends its input. */
  end(): void;
}

/** Starts one. */
export function openCalls(agent: AgentHost, target: AgentTarget = "box"): AgentCalls {
  const streamId = agent.newId();
  const chunks: Uint8Array[] = [];
  let isOver = false;
  let credit = initialCreditBytes;
  let change = Promise.withResolvers<void>();
  agent.listeners.set(streamId, (message) => {
    if (message.type === "out") chunks.push(message.bytes.slice());
    if (message.type === "credit") credit += message.bytes;
    isOver ||= (message.type === "end" && message.channel === "out") || message.type === "fail";
    change.resolve();
    change = Promise.withResolvers<void>();
  });
  async function* output(): AsyncGenerator<Uint8Array, void> {
    for (;;) {
      const chunk = chunks.shift();
      if (chunk !== undefined) yield chunk;
      else if (isOver) return;
      else await change.promise;
    }
  }
  const send = async (bytes: Uint8Array) => {
    for (let at = 0; at < bytes.byteLength && !isOver; ) {
      const part = bytes.subarray(at, at + Math.min(credit, initialCreditBytes));
      at += part.byteLength;
      credit -= part.byteLength;
      if (part.byteLength > 0) agent.send({ type: "data", streamId, bytes: part });
      else await change.promise;
    }
  };
  let last: Promise<void> = Promise.resolve();
  const write = (bytes: Uint8Array) => {
    last = last.then(() => send(bytes));
    return last;
  };
  agent.send({ type: "calls", streamId, target });
  return {
    streamId,
    write,
    caller: new Caller({ write, output: output() }),
    end: () => agent.send({ type: "eof", streamId }),
  };
}

/** What mounting its disks did. */
export type MountOutcome =
  | { readonly warnings: readonly MountWarning[] }
  | { readonly failure: string; readonly errno: number; readonly message: string };

/** Mounts the disks of a machine. */
export async function mountDisks(
  agent: AgentHost,
  change: Partial<MountRequest> = {},
): Promise<MountOutcome> {
  const { caller, end } = openCalls(agent, "agent");
  const request: MountRequest = {
    guestRootfs: "initramfs",
    isReadOnly: false,
    grows: false,
    hasNetwork: false,
    timeNs: BigInt(Date.now()) * 1_000_000n,
    seed: new Uint8Array(64),
    hostname: "box",
    boxSerial: "box-root",
    guestSerial: "",
    etc: [],
    ...change,
  };
  try {
    return { warnings: (await mountGuest(caller, request)).warnings };
  } catch (error) {
    if (!(error instanceof CallFailure)) throw error;
    const { failure, errno, message } = error;
    return { failure, errno, message };
  } finally {
    end();
  }
}

/** Who a user of a box is. */
export async function userOf(
  agent: AgentHost,
  user: string,
  groups: readonly string[] = [],
): Promise<GuestUser> {
  const { caller, end } = openCalls(agent);
  try {
    return resolveUser(await readUserFiles(caller), user, groups);
  } finally {
    end();
  }
}
