import { defineTask, type Task } from "@box/pipeline";

/** A task that throws. */
export function failing(name: string, error: unknown): Task<never, never, never> {
  return defineTask({
    name,
    run: () => {
      throw error;
    },
  });
}

/** A task that ends when told, and rejects as fetch does when its signal aborts. */
export function waiting(
  name: string,
  log: string[] = [],
): { readonly task: Task<never, never, never>; readonly finish: () => void } {
  const { promise, resolve } = Promise.withResolvers<void>();
  const task = defineTask({
    name,
    run: async (_, { signal }) => {
      log.push(`${name} begins`);
      const { promise: aborted, reject } = Promise.withResolvers<never>();
      signal.addEventListener("abort", () => {
        log.push(`${name} aborts`);
        reject(signal.reason);
      });
      await Promise.race([promise, aborted]);
      log.push(`${name} ends`);
    },
  });
  return { task, finish: resolve };
}
