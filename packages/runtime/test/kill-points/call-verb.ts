import type { Runtime } from "@box/runtime";

/** A call of a method of `runtime.boxes`, or of `runtime.storage`, as data. */
export interface VerbCall {
  /** The method. */
  readonly verb: string;
  /** Its arguments. */
  readonly args: readonly unknown[];
}

type Methods = Readonly<Record<string, (...args: readonly unknown[]) => Promise<unknown>>>;

/** Carries a call out. */
export async function callVerb(runtime: Runtime, { verb, args }: VerbCall): Promise<void> {
  const owner = verb in runtime.boxes ? runtime.boxes : runtime.storage;
  await (owner as unknown as Methods)[verb]?.(...args);
}
