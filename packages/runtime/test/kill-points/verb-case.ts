import type { Runtime } from "@box/runtime";
import { expect } from "vitest";
import type { VerbCall } from "./call-verb.ts";
import type { TemplateHome } from "./template-home.ts";

/** A verb, and what is true of the home after it was ended at any point and somebody has opened the home again. */
export interface VerbCase extends VerbCall {
  /** What it is about, where the verb alone does not say it. */
  readonly when?: string;
  /** Brings the home into the state that the verb is for. */
  before?(place: TemplateHome): Promise<void>;
  /** @param isDone - Whether the verb had come to its end. */
  check(runtime: Runtime, isDone: boolean): Promise<void>;
  /** What it says when it is called again after it was done; nothing when it may. */
  readonly refusal?: string;
  /** Ends what the verb has left running. */
  after?(runtime: Runtime): Promise<void>;
  /** The disks of the boxes need not be what they were. */
  readonly makesDisks?: boolean;
}

/** Names of the boxes. */
export const namesIn = async (runtime: Runtime): Promise<readonly string[]> =>
  (await runtime.boxes.list()).map(({ name }) => name);

/** Names of the snapshots of the box `web`. */
export const snapshotsIn = async (runtime: Runtime): Promise<readonly string[]> =>
  (await runtime.boxes.listSnapshots("web")).map(({ name }) => name);

/** Asserts that a value is that of before or that of after, the latter when the verb was done. */
export function expectEither(
  found: unknown,
  before: unknown,
  after: unknown,
  isDone: boolean,
): void {
  expect(isDone ? [after] : [before, after]).toContainEqual(found);
}
