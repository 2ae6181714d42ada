import type { CallBatch, SentCall, Word } from "./call-batch.ts";
import type { CallResult } from "./caller.ts";
import { openFlags, resolveBelow } from "./guest-paths.ts";

const exists = 17;
/** `O_PATH`. */
const pathOnly = 0o10_000_000;
const howBytes = 24;
const bothThemselves = 0x44;

/** Calls of a batch that belong together, some of which may fail. */
export class Steps {
  readonly batch: CallBatch;
  readonly #told: { readonly step: string; readonly calls: readonly number[] }[] = [];

  constructor(batch: CallBatch) {
    this.batch = batch;
  }

  /**
   * Adds calls that may all fail.
   *
   * @param step - How a failure is told; not at all unless given.
   * @param add - Adds them, and gives the places of those that matter.
   */
  optional(step: string | undefined, add: () => readonly number[]): void {
    const first = this.batch.calls.length;
    const calls = add();
    for (let at = first; at < this.batch.calls.length; at++) this.#letFail(at);
    if (step !== undefined) this.#told.push({ step, calls });
  }

  /** A folder below an open one, made if need be; links are not followed. Does nothing when its place has one. @returns Calls that matter. */
  openFolder(folder: Word, name: string, into: Word): readonly number[] {
    const { batch } = this;
    const how = batch.numbers(pathOnly | openFlags.closeOnExec, 0, resolveBelow);
    const opening = [folder, batch.text(`${name}/`), how, howBytes];
    const options = { into, unless: into, goesOn: "always" } as const;
    batch.call("openat2", opening, options);
    const made = batch.call("mkdirat", [folder, batch.text(name), 0o755], {
      goesOn: "always",
      unless: into,
    });
    return [made, batch.call("openat2", opening, options)];
  }

  /** Mounts what one descriptor is at another. @returns Its place. */
  moveMount(source: Word, place: Word): number {
    const empty = this.batch.text("");
    return this.batch.call("move_mount", [source, empty, place, empty, bothThemselves]);
  }

  close(...words: readonly Word[]): void {
    for (const word of words) this.batch.call("close", [word], { goesOn: "always" });
  }

  /** What failed: of each step the first that matters. */
  *warnings(
    results: readonly CallResult[],
  ): Generator<{ readonly step: string; readonly errno: number }> {
    for (const { step, calls } of this.#told) {
      const errno = calls
        .filter(
          (at) => !(this.batch.calls[at]?.name === "mkdirat" && results[at]?.value === -exists),
        )
        .map((at) => -(results[at]?.value ?? 0))
        .find((value) => value > 0);
      if (errno !== undefined) yield { step, errno };
    }
  }

  #letFail(at: number): void {
    const call = this.batch.calls[at];
    if (call !== undefined) this.batch.calls[at] = { ...call, goesOn: "always" } as SentCall;
  }
}

/** What a call told, as numbers. */
export function numbersAt(results: readonly CallResult[], at: number): DataView {
  const { buffer, byteOffset, byteLength } = results[at]?.bytes ?? new Uint8Array(0);
  return new DataView(buffer, byteOffset, byteLength);
}
