import { connect, type Socket } from "node:net";
import type { ExecExit } from "../../exec.ts";
import type { MachineEvent } from "../../machine.ts";
import { type Frame, type FrameKind, FrameReader, frameHeader } from "./frames.ts";
import type { Answer, Call, Notice, OutputName, Request, Results } from "./messages.ts";
import { fromSentError } from "./sent-error.ts";

/** What hears what a command does. */
export interface CommandListener {
  output(name: OutputName, bytes: Uint8Array): void;
  end(name: OutputName): void;
  credit(bytes: number): void;
  closed(): void;
  exit(exit: ExecExit): void;
  lost(error: Error): void;
}

/** What {@link LinkClient.open} takes. */
export interface OpenLinkOptions {
  readonly onEvent: (event: MachineEvent) => void;
  /** Called once, when nothing more can be sent or comes. */
  readonly onClose: () => void;
  readonly signal?: AbortSignal | undefined;
}

interface Waiting {
  resolve(value: unknown): void;
  reject(error: unknown): void;
}

/** A handle's end of the socket to the supervisor of its machine. It keeps the process alive only while somebody waits. */
export class LinkClient {
  readonly #socket: Socket;
  readonly #waiting = new Map<number, Waiting>();
  readonly #commands = new Map<number, CommandListener>();
  readonly #options: OpenLinkOptions;
  #lastId = 0;
  #lastStream = 0;
  #holds = 0;
  #isClosed = false;

  private constructor(socket: Socket, options: OpenLinkOptions) {
    this.#socket = socket;
    this.#options = options;
    const reader = new FrameReader();
    socket.unref();
    socket.on("data", (chunk: Uint8Array) => {
      try {
        for (const frame of reader.push(chunk)) this.#handle(frame);
      } catch (error) {
        socket.destroy(error as Error);
      }
    });
    socket.on("error", () => this.#end());
    socket.on("close", () => this.#end());
  }

  /** Connects to a supervisor. Rejects with the system's error when there is none, and with the signal's reason. */
  static async open(path: string, options: OpenLinkOptions): Promise<LinkClient> {
    const { signal } = options;
    signal?.throwIfAborted();
    const { promise, resolve, reject } = Promise.withResolvers<Socket>();
    const socket = connect({ path });
    const abort = () => reject(signal?.reason);
    socket.once("connect", () => resolve(socket));
    socket.once("error", reject);
    signal?.addEventListener("abort", abort, { once: true });
    try {
      return new LinkClient(await promise, options);
    } catch (error) {
      socket.destroy();
      throw error;
    } finally {
      signal?.removeEventListener("abort", abort);
    }
  }

  /** Asks for something and waits for the reply, or until the signal aborts, or the link is closed: that gives undefined. */
  async call<C extends Call>(
    call: C,
    signal?: AbortSignal,
  ): Promise<Results[C["call"]] | undefined> {
    signal?.throwIfAborted();
    if (this.#isClosed) return undefined;
    this.#lastId += 1;
    const id = this.#lastId;
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    const abort = () => reject(signal?.reason);
    this.#waiting.set(id, { resolve, reject });
    signal?.addEventListener("abort", abort, { once: true });
    const release = this.hold();
    this.#sendMessage({ ...call, id });
    try {
      return (await promise) as Results[C["call"]] | undefined;
    } finally {
      release();
      this.#waiting.delete(id);
      signal?.removeEventListener("abort", abort);
    }
  }

  /** Says something that has no reply. */
  notify(notice: Notice): void {
    if (!this.#isClosed) this.#sendMessage(notice);
  }

  /** Sends input of a command. The bytes are not looked at any more once this returns. */
  sendInput(stream: number, bytes: Uint8Array): void {
    if (!this.#isClosed) this.#send("stdin", stream, Buffer.from(bytes));
  }

  /** A number for a new command, whose listener hears what comes from now on. */
  listen(listener: CommandListener): number {
    this.#lastStream += 1;
    this.#commands.set(this.#lastStream, listener);
    return this.#lastStream;
  }

  /** Nobody wants to hear of a command any more. */
  forget(stream: number): void {
    this.#commands.delete(stream);
  }

  /** Keeps this process alive until what it gives is called. */
  hold(): () => void {
    let isHeld = true;
    this.#holds += 1;
    this.#socket.ref();
    return () => {
      if (!isHeld) return;
      isHeld = false;
      this.#holds -= 1;
      if (this.#holds === 0) this.#socket.unref();
    };
  }

  /** Gives the link back. */
  close(): void {
    this.#socket.destroy();
    this.#end();
  }

  #handle({ kind, stream, payload }: Frame): void {
    if (kind === "message") {
      this.#answer(JSON.parse(Buffer.from(payload).toString("utf8")) as Answer);
    } else if (kind !== "stdin") {
      // The socket's buffer is its own again when this returns.
      this.#commands.get(stream)?.output(kind, Uint8Array.from(payload));
    }
  }

  #answer(answer: Answer): void {
    switch (answer.answer) {
      case "reply":
        this.#waiting.get(answer.id)?.resolve(answer.result);
        break;
      case "failure":
        this.#waiting.get(answer.id)?.reject(fromSentError(answer.error));
        break;
      case "event":
        this.#options.onEvent(answer.event);
        break;
      default: {
        const listener = this.#commands.get(answer.stream);
        if (listener !== undefined) tell(listener, answer);
      }
    }
  }

  #sendMessage(request: Request): void {
    this.#send("message", 0, Buffer.from(JSON.stringify(request)));
  }

  #send(kind: FrameKind, stream: number, payload: Uint8Array): void {
    this.#socket.cork();
    this.#socket.write(frameHeader(kind, stream, payload.byteLength));
    this.#socket.write(payload);
    this.#socket.uncork();
  }

  #end(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    for (const { resolve } of this.#waiting.values()) resolve(undefined);
    this.#options.onClose();
  }
}

function tell(
  listener: CommandListener,
  answer: Extract<Answer, { readonly stream: number }>,
): void {
  switch (answer.answer) {
    case "credit":
      listener.credit(answer.bytes);
      break;
    case "closed":
      listener.closed();
      break;
    case "end":
      listener.end(answer.output);
      break;
    case "exit":
      listener.exit(answer.exit);
      break;
    case "lost":
      listener.lost(fromSentError(answer.error));
      break;
  }
}
