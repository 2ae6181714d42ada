import { randomBytes } from "node:crypto";
import type { Socket } from "node:net";
import {
  decodeGuestMessage,
  type ExecMessage,
  type ExplainedFailure,
  encodeHostMessage,
  explainFailure,
  FrameDecoder,
  type GuestMessage,
  type HostMessage,
  programPlaces,
  protocolVersion,
} from "@box/guest/protocol";

/** What a command did. */
export interface CommandResult {
  readonly out: string;
  readonly err: string;
  readonly exitCode?: number;
  readonly signal?: number;
  readonly failure?: string;
  readonly errno?: number;
  readonly message?: string;
}

/** A host that keeps everything that an agent says. */
export class AgentHost {
  readonly messages: GuestMessage[] = [];
  /** Who hears what streams say, as it comes, by their numbers. */
  readonly listeners: Map<number, (message: GuestMessage) => void> = new Map();
  /** Whether outputs are granted credit as they come. */
  grants = true;
  readonly #socket: Socket;
  readonly #waiters = new Set<() => void>();
  readonly #asked = new Map<number, ExecMessage>();
  readonly #decoder = new FrameDecoder("guest");
  #nextId = 1;
  #end: string | undefined;

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.on("error", () => {});
    socket.on("data", (chunk: Buffer) => this.#take(chunk));
    socket.on("close", () => this.end("the connection was closed"));
  }

  /** Notes that nothing will come any more: who waits fails. */
  end(reason: string): void {
    this.#end ??= reason;
    this.#wake();
  }

  newId(): number {
    return this.#nextId++;
  }

  send(message: HostMessage): void {
    this.sendBytes(encodeHostMessage(message));
  }

  sendBytes(bytes: Uint8Array): void {
    this.#socket.write(bytes);
  }

  /** Takes no more of what the agent says. */
  stopReading(): void {
    this.#socket.pause();
  }

  /** Waits until nothing more of what was sent is taken. */
  async untilStuck(): Promise<void> {
    for (let last = -1; last !== this.#socket.bytesWritten - this.#socket.writableLength; ) {
      last = this.#socket.bytesWritten - this.#socket.writableLength;
      await new Promise((resolve) => setTimeout(resolve, 1000));
    }
    if (this.#socket.writableLength === 0) throw new Error("all was taken");
  }

  /** Ends the connection, as a host that dies. */
  hangUp(): void {
    this.#socket.destroy();
  }

  async hello({ graceMs = 0 }: { readonly graceMs?: number } = {}): Promise<void> {
    const nonce = randomBytes(8).readBigUInt64LE();
    this.send({
      type: "hello",
      minVersion: protocolVersion,
      maxVersion: protocolVersion,
      graceMs,
      nonce,
    });
    await this.until((message) => message.type === "ready" && message.nonce === nonce);
  }

  /** Asks for a command and returns its stream; the environment has a usual PATH. */
  exec(command: readonly string[], change: Partial<ExecMessage> = {}): number {
    const streamId = this.newId();
    const { environment = ["PATH=/usr/bin:/bin"] } = change;
    const message: ExecMessage = {
      type: "exec",
      streamId,
      target: "box",
      uid: 0,
      gid: 0,
      groups: [],
      workingDirectory: "/",
      environment,
      places: programPlaces(command[0] ?? "", environment),
      command,
      ...change,
    };
    this.#asked.set(streamId, message);
    this.send(message);
    return streamId;
  }

  /** Runs a command to its end. */
  async run(command: readonly string[], change: Partial<ExecMessage> = {}): Promise<CommandResult> {
    return this.result(this.exec(command, change));
  }

  /** What a stream did, once it is over. */
  async result(streamId: number): Promise<CommandResult> {
    const isMine = (message: GuestMessage) =>
      "streamId" in message && message.streamId === streamId;
    await this.until(() => {
      const mine = this.messages.filter(isMine);
      const ends = mine.filter(({ type }) => type === "end").length;
      const isOver = ends === 2 && mine.some(({ type }) => type === "exit");
      return isOver || mine.some(({ type }) => type === "fail");
    });
    const mine = this.messages.filter(isMine);
    const exit = mine.find((message) => message.type === "exit");
    const fail = mine.find((message) => message.type === "fail");
    return {
      out: this.bytesOf(streamId, "out").toString(),
      err: this.bytesOf(streamId, "err").toString(),
      ...(exit?.type === "exit" ? { exitCode: exit.exitCode, signal: exit.signal } : {}),
      ...(fail?.type === "fail" ? explainFailure(fail, this.#asked.get(streamId)) : {}),
    };
  }

  /** Waits until the agent ends the session, and says why. */
  async sessionFailure(): Promise<ExplainedFailure | undefined> {
    const fail = await this.until((message) => message.type === "fail" && message.streamId === 0);
    return fail.type === "fail" ? explainFailure(fail) : undefined;
  }

  bytesOf(streamId: number, channel: "out" | "err"): Buffer {
    const parts = this.messages.flatMap((message) =>
      message.type === channel && message.streamId === streamId ? [message.bytes] : [],
    );
    return Buffer.concat(parts);
  }

  /** Waits until a message that came, or comes, is wanted. Fails when the agent ends first. */
  async until(wanted: (message: GuestMessage) => boolean): Promise<GuestMessage> {
    for (;;) {
      const found = this.messages.find(wanted);
      if (found !== undefined) return found;
      if (this.#end !== undefined) throw new Error(`nothing comes any more: ${this.#end}`);
      await new Promise<void>((resolve) => this.#waiters.add(resolve));
    }
  }

  #take(chunk: Buffer): void {
    for (const frame of this.#decoder.push(chunk)) {
      const message = decodeGuestMessage(frame);
      this.messages.push(message);
      if ("streamId" in message) this.listeners.get(message.streamId)?.(message);
      if (this.grants && (message.type === "out" || message.type === "err")) {
        const { streamId, type: channel, bytes } = message;
        this.send({ type: "credit", streamId, channel, bytes: bytes.length });
      }
    }
    this.#wake();
  }

  #wake(): void {
    const waiters = [...this.#waiters];
    this.#waiters.clear();
    for (const waiter of waiters) waiter();
  }
}
