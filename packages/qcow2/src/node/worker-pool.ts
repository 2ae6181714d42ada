import { Worker } from "node:worker_threads";
import { type CodecJob, type CodecResult, serveCodecJobs } from "./codec-worker.ts";

/** The part of a `Worker` that is used here. */
export interface CodecThread extends Pick<Worker, "ref" | "unref" | "terminate"> {
  /** Takes a listener for its answers. */
  on(event: "message", listener: (result: CodecResult) => void): unknown;
  /** Takes a listener for its failure. */
  on(event: "error", listener: (error: Error) => void): unknown;
  /** Takes a listener for its end. */
  on(event: "exit", listener: (exitCode: number) => void): unknown;
  /** Gives it a job, and the job's bytes with it. */
  postMessage(job: CodecJob, transferred: readonly ArrayBuffer[]): void;
}

interface PendingJob {
  readonly make: () => CodecJob;
  readonly resolve: (result: CodecResult) => void;
  readonly reject: (reason: Error) => void;
}

/** One more than the one it works on, so that a thread never waits for this one. */
const jobsPerThread = 2;

/** Spreads jobs over threads, which are started when they are needed and keep the process alive only while they work. */
export class WorkerPool {
  readonly #maxThreads: number;
  readonly #start: () => CodecThread;
  readonly #lanes: Lane[] = [];
  readonly #waiting: PendingJob[] = [];
  #isBroken = false;

  /** @param start - Starts a thread; a `Worker` unless given. */
  constructor(maxThreads: number, start: () => CodecThread = startWorker) {
    this.#maxThreads = maxThreads;
    this.#start = start;
  }

  /**
   * Runs a job; fails when its thread does, and at once after that or after {@link WorkerPool.close}.
   *
   * @param make - Makes the job once a thread takes it. Its memory is the thread's until it comes back with the result.
   */
  run(make: () => CodecJob): Promise<CodecResult> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ make, resolve, reject });
      this.#dispatch();
    });
  }

  /** Waits for the jobs that are under way and ends the threads. */
  async close(): Promise<void> {
    await Promise.all(this.#lanes.map((lane) => lane.idle()));
    this.#break(new Error("the threads were ended"));
    await Promise.all(this.#lanes.map((lane) => lane.thread.terminate()));
  }

  #dispatch(): void {
    if (this.#isBroken) this.#break(new Error("there are no threads"));
    while (this.#waiting.length > 0) {
      const lane = this.#freeLane();
      const next = lane && this.#waiting.shift();
      if (!next) return;
      lane.send(next);
    }
  }

  /** The thread with the least to do, or a new one. */
  #freeLane(): Lane | undefined {
    const [least] = [...this.#lanes].sort((a, b) => a.jobs - b.jobs);
    if (least && (least.jobs === 0 || this.#lanes.length === this.#maxThreads)) {
      return least.jobs < jobsPerThread ? least : undefined;
    }
    try {
      const lane = new Lane(this.#start(), {
        done: () => this.#dispatch(),
        failed: (error) => this.#break(error),
      });
      this.#lanes.push(lane);
      return lane;
    } catch (error) {
      this.#break(error instanceof Error ? error : new Error(String(error)));
      return undefined;
    }
  }

  #break(error: Error): void {
    this.#isBroken = true;
    for (const { reject } of this.#waiting.splice(0)) reject(error);
    for (const lane of this.#lanes) lane.fail(error);
  }
}

/** A thread and the jobs that it has. It answers them in order. */
class Lane {
  readonly thread: CodecThread;
  readonly #jobs: PendingJob[] = [];
  readonly #idlers: (() => void)[] = [];

  constructor(thread: CodecThread, on: { done: () => void; failed: (error: Error) => void }) {
    this.thread = thread;
    thread.unref();
    thread.on("message", (result: CodecResult) => {
      this.#jobs.shift()?.resolve(result);
      this.#settle();
      on.done();
    });
    thread.on("error", on.failed);
    thread.on("exit", () => on.failed(new Error("a thread ended")));
  }

  /** How many jobs it has. */
  get jobs(): number {
    return this.#jobs.length;
  }

  /** Gives it one more; a job that cannot be made or sent fails alone. */
  send(next: PendingJob): void {
    try {
      const job = next.make();
      this.thread.postMessage(job, [job.bytes.buffer, job.room.buffer] as ArrayBuffer[]);
    } catch (error) {
      next.reject(error instanceof Error ? error : new Error(String(error)));
      return;
    }
    if (this.#jobs.length === 0) this.thread.ref();
    this.#jobs.push(next);
  }

  /** Resolves once it has no job. */
  idle(): Promise<void> {
    if (this.#jobs.length === 0) return Promise.resolve();
    return new Promise((resolve) => this.#idlers.push(resolve));
  }

  /** Fails its jobs. */
  fail(error: Error): void {
    // One that is being ended has none, and must hold the process until it has ended.
    if (this.#jobs.length === 0) return;
    for (const { reject } of this.#jobs.splice(0)) reject(error);
    this.#settle();
  }

  #settle(): void {
    if (this.#jobs.length > 0) return;
    this.thread.unref();
    for (const resolve of this.#idlers.splice(0)) resolve();
  }
}

function startWorker(): Worker {
  const source = `(${serveCodecJobs})(process.getBuiltinModule("node:worker_threads").parentPort)`;
  return new Worker(source, { eval: true, name: "qcow2-codec" });
}
