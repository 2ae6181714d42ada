import { IoError } from "@box/io";
import { acquireLock, type Lock } from "@box/io/node";
import { type FollowedProgress, followProgress } from "./shared-progress.ts";
import { type Told, toldProgress, waitingFor } from "./tell-base.ts";

const defaultTimeoutMs = 60_000;

/**
 * Waits for the lock of a base; meanwhile the progress of whoever holds it is told as if it were one's own.
 *
 * @throws IoError `IO_LOCK_HELD` when its holder has shown no sign of life for the whole time-out.
 */
export async function lockBase(
  path: string,
  progressPath: string,
  key: string,
  options: { readonly lockTimeoutMs?: number; readonly signal?: AbortSignal },
  tell: (event: Told) => void,
): Promise<Lock> {
  const { lockTimeoutMs = defaultTimeoutMs, signal } = options;
  using stack = new DisposableStack();
  let progress: FollowedProgress | undefined;
  let told: number | undefined;
  for (;;) {
    const beatsBefore = progress?.beats ?? 0;
    try {
      return await acquireLock(path, {
        command: `building base ${key}`,
        timeoutMs: lockTimeoutMs,
        onWait: (holder) => {
          const pid = holder?.pid ?? 0;
          if (told !== pid) tell(waitingFor(holder));
          told = pid;
          progress ??= stack.use(followProgress(progressPath, (made) => tell(toldProgress(made))));
        },
        ...(signal === undefined ? {} : { signal }),
      });
    } catch (error) {
      const isHeld = error instanceof IoError && error.code === "IO_LOCK_HELD";
      if (!isHeld || progress?.beats === beatsBefore) throw error;
    }
  }
}
