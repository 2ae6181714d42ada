import type { RandomAccess } from "@box/io";

/** Calls that can be made to fail. */
type Method = "read" | "write" | "flush";

/** Which calls count, and when the one that fails does so. */
interface FailingOptions {
  /** Calls that count: all three unless given. */
  readonly of?: readonly Method[];
  /** Whether the call that fails does nothing, or what it was to do. Nothing unless given. */
  readonly when?: "before" | "after";
}

/** A file of which one call fails. */
interface FailingStorage {
  readonly file: RandomAccess;
  /** Which call fails, from 1; 0 is none. */
  at: number;
  /** Whether calls are counted, and so may fail. */
  isOn: boolean;
  /** Calls that were counted. */
  readonly calls: number;
  /** The method that failed. */
  readonly failed: string;
}

/** A file that fails one call with `EIO`, and counts the calls. */
export function failing(
  file: RandomAccess,
  at: number,
  { of = ["read", "write", "flush"], when = "before" }: FailingOptions = {},
): FailingStorage {
  const state = { at, isOn: true, calls: 0, failed: "" };
  const counted =
    <Args extends unknown[], Result>(name: Method, call: (...args: Args) => Promise<Result>) =>
    async (...args: Args): Promise<Result> => {
      const fails = state.isOn && of.includes(name) && ++state.calls === state.at;
      const result = fails && when === "before" ? undefined : await call(...args);
      if (!fails) return result as Result;
      state.failed = name;
      throw Object.assign(new Error("EIO: i/o error"), { code: "EIO" });
    };
  const { write, flush, truncate, punchHole, identity } = file;
  return Object.assign(state, {
    file: {
      size: () => file.size(),
      read: counted("read", file.read.bind(file)),
      ...(write && { write: counted("write", write.bind(file)) }),
      ...(flush && { flush: counted("flush", flush.bind(file)) }),
      ...(truncate && { truncate: truncate.bind(file) }),
      ...(punchHole && { punchHole: punchHole.bind(file) }),
      ...(identity && { identity: identity.bind(file) }),
    },
  });
}

/** The two moments of a failing call. */
export const moments = ["before", "after"] as const;
