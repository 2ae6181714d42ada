import type { Runtime } from "@box/runtime";

/** A call of a method of `runtime.boxes`, of `runtime.storage`, or `pull` of the home's image store, as data. */
export interface VerbCall {
  /** The method. */
  readonly verb: string;
  /** Its arguments. */
  readonly args: readonly unknown[];
}

type Methods = Readonly<Record<string, (...args: readonly unknown[]) => Promise<unknown>>>;

/** Carries a call out. */
export async function callVerb(runtime: Runtime, { verb, args }: VerbCall): Promise<void> {
  if (verb === "pull") {
    await (await runtime.imageStore()).pull(String(args[0]));
    return;
  }
  const owner = verb in runtime.boxes ? runtime.boxes : runtime.storage;
  await (owner as unknown as Methods)[verb]?.(...args);
}
