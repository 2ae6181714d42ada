import type { Duplex } from "node:stream";
import { LineSplitter } from "./line-splitter.ts";
import { parseQmpMessage, type QmpEvent, type QmpMessage } from "./qmp-messages.ts";

/** Why a command of QEMU's monitor failed. */
export type QmpFailure = "refused" | "timeout" | "closed" | "protocol";

/** A failure of QEMU's monitor. It never leaves the engine: who asked says what could not be done. */
export class QmpError extends Error {
  /** What went wrong. */
  readonly failure: QmpFailure;

  constructor(failure: QmpFailure, message: string) {
    super(message);
    this.name = "QmpError";
    this.failure = failure;
  }
}

/** What {@link QmpClient} is made from. */
export interface QmpClientOptions {
  /** Hears every event that this client knows. */
  readonly onEvent?: (event: QmpEvent) => void;
  /** How long QEMU may take to answer in milliseconds; 10 seconds unless given. */
  readonly timeoutMs?: number;
}

const maxLineBytes = 1024 * 1024;
const defaultTimeoutMs = 10_000;

interface Waiting {
  resolve(value: unknown): void;
  reject(error: QmpError): void;
}

/**
 * QEMU's monitor, over a stream that is connected to it: lines of JSON.
 *
 * Each command has an id, and a reply belongs to the command whose id it has. What is no line of the monitor ends it.
 */
export class QmpClient {
  readonly #stream: Duplex;
  readonly #options: QmpClientOptions;
  readonly #waiting = new Map<number, Waiting>();
  readonly #greeting = Promise.withResolvers<string>();
  readonly #lines = new LineSplitter(maxLineBytes);
  #failure: QmpError | undefined;
  #lastId = 0;

  /** @param stream - Its own from now on. */
  constructor(stream: Duplex, options: QmpClientOptions = {}) {
    this.#stream = stream;
    this.#options = options;
    this.#greeting.promise.catch(() => {});
    stream.on("data", (chunk: Uint8Array) => this.#receive(chunk));
    stream.on("error", () => this.#fail(new QmpError("closed", "the monitor was closed")));
    stream.on("close", () => this.#fail(new QmpError("closed", "the monitor was closed")));
    stream.on("end", () => this.#fail(new QmpError("closed", "QEMU closed its monitor")));
  }

  /** Waits until QEMU is ready for commands. @returns Its version. @throws QmpError. */
  async negotiate(options: { readonly timeoutMs?: number } = {}): Promise<string> {
    const { timeoutMs = this.#timeoutMs } = options;
    const version = await this.#within(this.#greeting.promise, "its greeting", timeoutMs);
    await this.execute("qmp_capabilities", undefined, { timeoutMs });
    return version;
  }

  /** Runs a command of the monitor. @returns What it gives back. @throws QmpError. */
  async execute(
    command: string,
    args?: object,
    options: { readonly timeoutMs?: number } = {},
  ): Promise<unknown> {
    if (this.#failure !== undefined) throw this.#failure;
    this.#lastId += 1;
    const id = this.#lastId;
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    this.#waiting.set(id, { resolve, reject });
    const message = { execute: command, id, ...(args === undefined ? {} : { arguments: args }) };
    this.#stream.write(`${JSON.stringify(message)}\n`);
    try {
      return await this.#within(promise, command, options.timeoutMs ?? this.#timeoutMs);
    } finally {
      this.#waiting.delete(id);
    }
  }

  /** Gives the stream up. What waits fails. */
  close(): void {
    this.#fail(new QmpError("closed", "the monitor was closed"));
    this.#stream.destroy();
  }

  get #timeoutMs(): number {
    return this.#options.timeoutMs ?? defaultTimeoutMs;
  }

  async #within<T>(work: Promise<T>, what: string, timeoutMs: number): Promise<T> {
    const late = Promise.withResolvers<never>();
    const message = `QEMU did not answer within ${timeoutMs} ms: ${what}`;
    const timer = setTimeout(() => late.reject(new QmpError("timeout", message)), timeoutMs);
    try {
      return await Promise.race([work, late.promise]);
    } finally {
      clearTimeout(timer);
    }
  }

  #receive(chunk: Uint8Array): void {
    if (this.#failure !== undefined) return;
    const fault = this.#read(chunk);
    if (fault === undefined) return;
    this.#fail(new QmpError("protocol", `the monitor sent what is no answer: ${fault}`));
    this.#stream.destroy();
  }

  /** Takes what has come. @returns What is wrong with it. */
  #read(chunk: Uint8Array): string | undefined {
    const lines = this.#lines.push(chunk);
    if (lines === undefined) return `a line of more than ${maxLineBytes} bytes`;
    for (const line of lines) {
      const message = parseQmpMessage(line);
      if (message === undefined) return JSON.stringify(line.slice(0, 200));
      this.#handle(message);
    }
    return undefined;
  }

  #handle(message: QmpMessage): void {
    switch (message.type) {
      case "greeting":
        this.#greeting.resolve(message.version);
        break;
      case "success":
        this.#waiting.get(message.id)?.resolve(message.value);
        break;
      case "failure": {
        const { id, description, errorClass } = message;
        const error = new QmpError("refused", `QEMU refused it: ${description} (${errorClass})`);
        // Without an id nobody knows which one it was.
        if (id === undefined) this.#fail(error);
        else this.#waiting.get(id)?.reject(error);
        break;
      }
      case "event":
        this.#options.onEvent?.(message.event);
        break;
      default:
    }
  }

  #fail(error: QmpError): void {
    if (this.#failure !== undefined) return;
    this.#failure = error;
    this.#greeting.reject(error);
    for (const { reject } of this.#waiting.values()) reject(error);
  }
}
