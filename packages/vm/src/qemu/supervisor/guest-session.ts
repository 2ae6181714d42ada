import { randomBytes } from "node:crypto";
import type { Duplex } from "node:stream";
import { isBoxError } from "@box/errors";
import {
  type Caller,
  CallFailure,
  type MountWarning,
  mountGuest,
  readStats,
  readUserFiles,
  type UserFiles,
} from "@box/guest/calls";
import {
  type AgentTarget,
  decodeGuestMessage,
  encodeHostMessage,
  explainFailure,
  FrameDecoder,
  type GuestMessage,
  type GuestStats,
  type HostMessage,
  protocolVersion,
} from "@box/guest/protocol";
import type { ExecRequest } from "../../exec.ts";
import { diskSerials, type MachineSpec } from "../../machine-spec.ts";
import type { LinkedRequest } from "../link/messages.ts";
import { filesOfEtc } from "./files-of-etc.ts";
import { agentFailure, protocolFailure, requestFailure } from "./guest-errors.ts";
import { SessionCalls } from "./session-calls.ts";
import { StreamFlow } from "./stream-flow.ts";
import { execOpening, execWhat, type Opening, streamOpening } from "./stream-messages.ts";

type Message<T extends GuestMessage["type"]> = Extract<GuestMessage, { readonly type: T }>;

/** What hears what a stream of the guest does, such as a command, from the moment it was started. */
export interface GuestListener {
  /** The number of its stream, before anything else. */
  begin(streamId: number): void;
  output(channel: "out" | "err", bytes: Uint8Array): void;
  end(channel: "out" | "err"): void;
  credit(bytes: number): void;
  closed(): void;
  exit(exit: Message<"exit">): void;
  lost(error: Error): void;
  /** Nothing more comes. */
  over(): void;
}

interface Stream {
  readonly listener: GuestListener;
  readonly started: PromiseWithResolvers<void>;
  readonly opening: Opening;
  readonly flow: StreamFlow;
  readonly open: Set<"out" | "err" | "exit">;
}

/** How long a guest lives that no supervisor talks to. */
const graceWithoutHostMs = 10_000;
const longestStreamId = 0xffff_ffff;
/** How long a process of the guest that is there already may take to answer. */
const residentMs = 1000;

/**
 * The conversation with the agent of a guest. Everything that the guest sends is hostile: what is no message ends it.
 */
export class GuestSession {
  /** What the agent tells of itself, once it answers. */
  readonly ready: Promise<Message<"ready">>;
  readonly #port: Duplex;
  readonly #ready = Promise.withResolvers<Message<"ready">>();
  readonly #streams = new Map<number, Stream>();
  readonly #pings = new Map<number, Pick<PromiseWithResolvers<void>, "resolve" | "reject">>();
  readonly #decoder = new FrameDecoder("guest");
  readonly #nonce = randomBytes(8).readBigUInt64LE();
  /** Whether the guest boots a system of its own. */
  #hasSystem = false;
  /** What the box said of its users when it was mounted, until anything may have changed it. */
  #users: UserFiles | undefined;
  /** What mounted its disks: it can look into the box without being started first. */
  #resident: SessionCalls | undefined;
  #lastStreamId = 0;
  #failure: Error | undefined;

  /** @param port - The agent's port; its own from now on. */
  constructor(port: Duplex) {
    this.#port = port;
    this.ready = this.#ready.promise;
    this.ready.catch(() => {});
    port.on("data", (chunk: Uint8Array) => this.#receive(chunk));
    // Nobody reads it before the agent has opened its end.
    this.#send({
      type: "hello",
      minVersion: protocolVersion,
      maxVersion: protocolVersion,
      graceMs: graceWithoutHostMs,
      nonce: this.#nonce,
    });
  }

  /** Resolves when the agent answers; a guest that hangs never does. */
  async ping(): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure;
    const streamId = this.#newStreamId();
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#pings.set(streamId, { resolve, reject });
    this.#send({ type: "ping", streamId, bytes: new Uint8Array(0) });
    await promise;
  }

  /** What the guest uses. @throws VmError. */
  async stats(): Promise<GuestStats> {
    return this.#call("the guest tells nothing", "agent", readStats);
  }

  /** Seeds and names the guest and mounts its disks. @returns What is not as it should be. @throws VmError. */
  async mount(spec: MachineSpec, hostname: string): Promise<readonly MountWarning[]> {
    const { guestRootfs, disks, network } = spec;
    const user = disks.find(({ role }) => role === "user");
    const request = {
      guestRootfs,
      boxSerial: user?.serial ?? diskSerials.user,
      guestSerial: disks.find(({ role }) => role === "guest")?.serial ?? "",
      isReadOnly: user?.readOnly ?? false,
      grows: true,
      hasNetwork: network === "user",
      timeNs: BigInt(Date.now()) * 1_000_000n,
      seed: Uint8Array.from(randomBytes(64)),
      hostname,
      etc: filesOfEtc(hostname, network),
    } as const;
    this.#hasSystem = guestRootfs === "disk";
    const mounting = (caller: Caller) => mountGuest(caller, request);
    const calls = this.#openCalls("the guest is not ready", "agent");
    try {
      const { warnings, users } = await this.#use(calls, "the guest is not ready", mounting);
      this.#users = users;
      this.#resident = calls;
      return warnings;
    } catch (error) {
      calls.cancel();
      throw error;
    }
  }

  /** Starts a command. @throws VmError `VM_EXEC_*`; nothing was run then. */
  async exec(request: ExecRequest, listener: GuestListener): Promise<void> {
    const { target = "box" } = request;
    const what = execWhat(request);
    if (target === "guest" && !this.#hasSystem) throw noSystem(what);
    const known = target === "box" ? this.#users : undefined;
    this.#users = undefined;
    const users = known ?? (await this.#readUsers(what, target));
    const opening = (streamId: number) => {
      try {
        return execOpening(request, users, streamId);
      } catch (error) {
        throw error instanceof CallFailure ? agentFailure(what, error) : error;
      }
    };
    await this.#open(opening, listener);
  }

  /** Opens a stream to a process that carries out calls or to a port. @throws VmError `VM_PORT_REFUSED`. */
  async open(request: LinkedRequest, listener: GuestListener): Promise<void> {
    this.#users = undefined;
    await this.#open((streamId) => streamOpening(request, streamId), listener);
  }

  /** Sends something to a stream that is not over; to one that is, nothing. */
  tell(message: Extract<HostMessage, { readonly streamId: number }>): void {
    const stream = this.#streams.get(message.streamId);
    if (this.#failure !== undefined || stream === undefined) return;
    stream.flow.tell(message);
    this.#send(message);
  }

  /** Asks the guest to end everything, write and unmount its disks, and power off. */
  shutDown(graceMs: number): void {
    if (this.#failure !== undefined) return;
    this.#send({ type: "shutdown", streamId: this.#newStreamId(), graceMs });
  }

  /** Ends it: the machine has ended, or nothing that the guest says counts any more. */
  fail(error: Error): void {
    if (this.#failure !== undefined) return;
    this.#failure = error;
    this.#ready.reject(error);
    for (const { reject } of this.#pings.values()) reject(error);
    for (const { started, listener } of this.#streams.values()) {
      started.promise.catch(() => {});
      started.reject(error);
      listener.lost(error);
      listener.over();
    }
    this.#streams.clear();
  }

  async #open(make: (streamId: number) => Opening, listener: GuestListener): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure;
    const streamId = this.#newStreamId();
    const opening = make(streamId);
    listener.begin(streamId);
    this.#request(opening.what, opening.message);
    const started = Promise.withResolvers<void>();
    const open = new Set(["out", "err", "exit"] as const);
    this.#streams.set(streamId, { listener, started, opening, flow: new StreamFlow(), open });
    await started.promise;
  }

  /** A guest can stop or end every process that it sees, but it cannot keep another from being started. */
  async #readUsers(what: string, target: "box" | "guest"): Promise<UserFiles> {
    const resident = target === "box" ? this.#resident : undefined;
    if (resident !== undefined) {
      const late = Promise.withResolvers<undefined>();
      const timer = setTimeout(late.resolve, residentMs, undefined);
      const asked = readUserFiles(resident.caller, { entersBox: true }).catch(() => undefined);
      const users = await Promise.race([asked, late.promise]);
      clearTimeout(timer);
      if (users !== undefined) return users;
      resident.cancel();
      this.#resident = undefined;
    }
    return this.#call(what, target, readUserFiles);
  }

  /** Has calls carried out by a process of their own. */
  async #call<T>(
    what: string,
    target: AgentTarget,
    use: (caller: Caller) => Promise<T>,
  ): Promise<T> {
    const calls = this.#openCalls(what, target);
    try {
      return await this.#use(calls, what, use);
    } finally {
      calls.finish();
    }
  }

  /** What it is asked for is on its way together with what starts it. */
  #openCalls(what: string, target: AgentTarget): SessionCalls {
    if (this.#failure !== undefined) throw this.#failure;
    const calls = new SessionCalls((message) => this.tell(message));
    const opening = (streamId: number): Opening => {
      return { what, about: "command", message: { type: "calls", streamId, target } };
    };
    this.#open(opening, calls).catch(() => {});
    return calls;
  }

  async #use<T>(
    calls: SessionCalls,
    what: string,
    use: (caller: Caller) => Promise<T>,
  ): Promise<T> {
    try {
      return await use(calls.caller);
    } catch (error) {
      if (error instanceof CallFailure) throw agentFailure(what, error);
      if (isBoxError(error) && error.code === "GUEST_PROTOCOL") {
        this.fail(protocolFailure(error.message, error));
      }
      throw this.#failure ?? error;
    }
  }

  #newStreamId(): number {
    this.#lastStreamId = this.#lastStreamId === longestStreamId ? 1 : this.#lastStreamId + 1;
    return this.#lastStreamId;
  }

  #request(what: string, message: HostMessage): void {
    try {
      this.#send(message);
    } catch (error) {
      throw requestFailure(what, error);
    }
  }

  #send(message: HostMessage): void {
    this.#port.write(encodeHostMessage(message));
  }

  #receive(chunk: Uint8Array): void {
    if (this.#failure !== undefined) return;
    try {
      for (const frame of this.#decoder.push(chunk)) this.#handle(decodeGuestMessage(frame));
    } catch (error) {
      this.fail(protocolFailure(error instanceof Error ? error.message : String(error), error));
    }
  }

  #handle(message: GuestMessage): void {
    switch (message.type) {
      case "ready":
        // An answer to an earlier session is none to this one.
        if (message.nonce === this.#nonce) this.#ready.resolve(message);
        break;
      case "fail":
        this.#refused(message);
        break;
      case "pong":
        this.#pings.get(message.streamId)?.resolve();
        this.#pings.delete(message.streamId);
        break;
      default: {
        const stream = this.#streams.get(message.streamId);
        if (stream !== undefined) this.#tell(stream, message);
      }
    }
  }

  #tell(
    stream: Stream,
    message: Exclude<GuestMessage, { readonly type: "ready" | "fail" | "pong" }>,
  ): void {
    const { listener, open } = stream;
    stream.flow.hear(message);
    switch (message.type) {
      case "started":
        stream.started.resolve();
        break;
      case "out":
      case "err":
        if (open.has(message.type)) listener.output(message.type, message.bytes);
        break;
      case "end":
        if (open.delete(message.channel)) listener.end(message.channel);
        break;
      case "credit":
        listener.credit(message.bytes);
        break;
      case "closed":
        listener.closed();
        break;
      case "exit":
        if (open.delete("exit")) listener.exit(message);
        break;
    }
    if (open.size > 0) return;
    this.#streams.delete(message.streamId);
    listener.over();
  }

  #refused(message: Message<"fail">): void {
    if (message.streamId === 0) {
      this.fail(agentFailure("the agent in the guest gave up", explainFailure(message)));
      return;
    }
    const stream = this.#streams.get(message.streamId);
    if (stream === undefined) return;
    this.#streams.delete(message.streamId);
    const { what, about, message: request } = stream.opening;
    const error = agentFailure(what, explainFailure(message, request), about);
    stream.started.reject(error);
    stream.listener.lost(error);
    stream.listener.over();
  }
}

function noSystem(what: string): Error {
  const message = "the guest has no system of its own";
  return agentFailure(what, { failure: "unsupported", errno: 0, message });
}
