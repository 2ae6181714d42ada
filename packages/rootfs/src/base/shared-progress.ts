import { readFileSync, rmSync, writeFileSync } from "node:fs";
import type { BuildProgress } from "../build/build-rootfs.ts";

/** How often progress is written and looked at. */
const periodMs = 200;

/** The progress of a build, as others see it. */
export interface SharedProgress extends Disposable {
  /** Notes how far the build has come; written down a little later. */
  set(progress: BuildProgress): void;
}

/** Shares the progress of a build through a file. A courtesy to those who wait: failing to keep it changes nothing. */
export function shareProgress(path: string): SharedProgress {
  let latest: BuildProgress | undefined;
  let isWritten = true;
  const write = (): void => {
    if (isWritten) return;
    isWritten = true;
    quietly(() => writeFileSync(path, JSON.stringify(latest), { mode: 0o600 }));
  };
  const timer = setInterval(write, periodMs).unref();
  return {
    set: (progress) => {
      const isFirst = latest === undefined;
      latest = progress;
      isWritten = false;
      if (isFirst) write();
    },
    [Symbol.dispose]: () => {
      clearInterval(timer);
      quietly(() => rmSync(path, { force: true }));
    },
  };
}

/**
 * Tells what another process shares, each time it has changed.
 *
 * @returns Stops it.
 */
export function followProgress(
  path: string,
  onProgress: (progress: BuildProgress) => void,
): () => void {
  let before = "";
  const look = (): void =>
    quietly(() => {
      const text = readFileSync(path, "utf8");
      if (text === before) return;
      const progress = parseProgress(text);
      before = text;
      if (progress !== undefined) onProgress(progress);
    });
  look();
  const timer = setInterval(look, periodMs).unref();
  return () => clearInterval(timer);
}

function parseProgress(text: string): BuildProgress | undefined {
  const { stage, done, total } = JSON.parse(text) as Partial<Record<string, unknown>>;
  const isStage = stage === "merge" || stage === "write";
  const isCounted = Number.isSafeInteger(done) && Number.isSafeInteger(total);
  return isStage && isCounted ? { stage, done: done as number, total: total as number } : undefined;
}

function quietly(work: () => void): void {
  try {
    work();
  } catch {
    // Not there yet, half written, or on a full disk.
  }
}
