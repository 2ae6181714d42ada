import type { OperationRecord, WorkContext } from "../box-service.ts";
import { ServerError } from "../errors.ts";
import { findReplay, operationIdOf } from "./idempotency.ts";
import type { LiveOperations } from "./live-operations.ts";
import type { Operations } from "./operations.ts";

/** Work that a request asks for. */
export interface LaunchOptions {
  /** Such as `create`. */
  readonly kind: string;
  /** The name of the box. */
  readonly boxName: string;
  /** The request's `Idempotency-Key`. */
  readonly key: string | undefined;
  /** The method and the path. */
  readonly route: string;
  /** The checked body. */
  readonly body: unknown;
  /** The work itself. */
  readonly work: (context: WorkContext) => Promise<unknown>;
}

/** An operation that a request has started, or that an equal one had started before. */
export interface Launched {
  /** The operation. */
  readonly record: OperationRecord;
  /** Whether it was there already. */
  readonly isReplay: boolean;
}

/** Starts operations, each request with a key at most once. */
export class OperationLauncher {
  readonly #live: LiveOperations;
  readonly #operations: Operations;
  #isStopping = false;

  constructor(live: LiveOperations, operations: Operations) {
    this.#live = live;
    this.#operations = operations;
  }

  /** Whether new work is taken. */
  get isReady(): boolean {
    return !this.#isStopping;
  }

  /** Takes no new work any more. */
  stop(): void {
    this.#isStopping = true;
  }

  /** @throws {@link ServerError} `SERVER_STOPPING` or `SERVER_IDEMPOTENCY_MISMATCH`, and what the work throws at once. */
  async launch({ kind, boxName, key, route, body, work }: LaunchOptions): Promise<Launched> {
    const id = operationIdOf(key === undefined ? undefined : { key, route, body });
    if (key !== undefined) {
      const stored = findReplay(id, await this.#operations.list());
      if (stored !== undefined && this.#live.find(id) === undefined)
        return { record: stored, isReplay: true };
    }
    // From here to the start nothing is awaited, so that of two equal requests only one starts.
    if (key !== undefined) findReplay(id, this.#live.list());
    const running = this.#live.join(id);
    if (running !== undefined) return { record: await running, isReplay: true };
    if (this.#isStopping) throw stopping();
    return { record: await this.#live.start({ id, kind, boxName, work }), isReplay: false };
  }
}

function stopping(): ServerError {
  return new ServerError({
    code: "SERVER_STOPPING",
    message: "the server is stopping and takes no new work",
    hint: "send the request again when it is back",
    retryable: true,
  });
}
