import type { RandomAccess } from "@box/io";

/** A file that fails one call, and counts the calls. No call is number 0. */
export function failing(
  file: RandomAccess,
  at: number,
): { file: RandomAccess; at: number; readonly calls: number; readonly failed: string } {
  const state = { file: { ...file }, at, calls: 0, failed: "" };
  for (const method of ["read", "write", "flush"] as const) {
    const original = file[method]?.bind(file) as (...args: unknown[]) => Promise<never>;
    Object.assign(state.file, {
      [method]: async (...args: unknown[]) => {
        if (++state.calls === state.at) {
          state.failed = method;
          throw new Error("EIO: i/o error");
        }
        return original(...args);
      },
    });
  }
  return state;
}
