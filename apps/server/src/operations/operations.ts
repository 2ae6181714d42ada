import { setTimeout as delay } from "node:timers/promises";
import type { OperationArchive, OperationRecord, ServiceEvent } from "../box-service.ts";
import { ServerError } from "../errors.ts";
import type { LiveOperations } from "./live-operations.ts";

/** How often another process's operation is looked at. */
const pollIntervalMs = 200;

/** Every operation of the home: those of this process from memory, all others from the state. */
export class Operations {
  readonly #live: LiveOperations;
  readonly #archive: OperationArchive;

  constructor(live: LiveOperations, archive: OperationArchive) {
    this.#live = live;
    this.#archive = archive;
  }

  /** The newest first. */
  async list(): Promise<readonly OperationRecord[]> {
    const stored = await this.#archive.list();
    const known = new Set(stored.map(({ id }) => id));
    const unstored = this.#live.list().filter(({ id }) => !known.has(id));
    return [...unstored, ...stored].sort((a, b) => (a.startedAt < b.startedAt ? 1 : -1));
  }

  /** An operation, when there is one. The state knows more of it than memory does. */
  async find(id: string): Promise<OperationRecord | undefined> {
    const live = this.#live.find(id);
    const stored = await this.#archive.find(id);
    return live === undefined || stored === undefined
      ? (stored ?? live)
      : { ...stored, ...live, box: stored.box };
  }

  /** @throws {@link ServerError} `SERVER_OPERATION_NOT_FOUND` */
  async get(id: string): Promise<OperationRecord> {
    const found = await this.find(id);
    if (found !== undefined) return found;
    throw new ServerError({
      code: "SERVER_OPERATION_NOT_FOUND",
      message: `there is no operation ${JSON.stringify(id)}`,
      hint: "GET /v1/operations lists those that are remembered",
    });
  }

  /** The operation when it has ended, or as it is when the signal aborts. */
  async wait(id: string, signal: AbortSignal): Promise<OperationRecord> {
    let record = await this.get(id);
    while (record.state === "running" && !signal.aborted) {
      await this.#change(id, signal);
      record = await this.get(id);
    }
    return record;
  }

  /**
   * Events after a number, then those to come, until the operation has ended or the signal aborts. Nothing is lost
   * and nothing told twice: what is next is read by its number.
   */
  async *follow(
    id: string,
    afterSequence: number,
    signal: AbortSignal,
  ): AsyncGenerator<ServiceEvent> {
    let last = afterSequence;
    while (!signal.aborted) {
      // The state comes first: what is told between the two reads belongs to an operation that is still running.
      const { state } = await this.get(id);
      const events = await this.#eventsAfter(id, last);
      for (const event of events) {
        yield event;
        last = event.sequence;
      }
      if (events.length > 0) continue;
      if (state !== "running") return;
      await this.#change(id, signal);
    }
  }

  /** Whether a number is greater than that of every event told so far: of an ended operation, that of `done`. */
  async isBeyond(id: string, sequence: number): Promise<boolean> {
    if (sequence === 0) return false;
    return (await this.#eventsAfter(id, sequence - 1)).length === 0;
  }

  async #eventsAfter(id: string, sequence: number): Promise<readonly ServiceEvent[]> {
    return this.#live.events(id, sequence) ?? (await this.#archive.events(id, sequence));
  }

  async #change(id: string, signal: AbortSignal): Promise<void> {
    if (this.#live.find(id) !== undefined) await this.#live.change(id, signal);
    else await delay(pollIntervalMs, undefined, { signal }).catch(() => {});
  }
}
