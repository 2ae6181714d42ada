import { readFileSync, rmSync, writeFileSync } from "node:fs";
import type { BuildProgress } from "../build/build-rootfs.ts";

/** How often progress is written and looked at. */
const periodMs = 200;
/** Whoever makes no progress writes every so many periods all the same, for others to see that it lives. */
const periodsPerBeat = 5;

/** The progress of a build, as others see it. */
export interface SharedProgress extends Disposable {
  /** Notes how far the build has come; written down a little later. */
  set(progress: BuildProgress): void;
}

/** Shares the progress of a build, and that it is alive, through a file. */
export function shareProgress(path: string): SharedProgress {
  let latest: BuildProgress | undefined;
  let isWritten = false;
  let beat = 0;
  const write = (): void => {
    isWritten = true;
    beat += 1;
    quietly(() => writeFileSync(path, JSON.stringify({ ...latest, beat }), { mode: 0o600 }));
  };
  write();
  let periods = 0;
  const timer = setInterval(() => {
    periods += 1;
    if (!isWritten || periods % periodsPerBeat === 0) write();
  }, periodMs).unref();
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

/** What another process shares, followed. */
export interface FollowedProgress extends Disposable {
  /** How often it has shared something since; one that lives does so about once a second. */
  readonly beats: number;
}

/** Tells what another process shares, each time it has changed. */
export function followProgress(
  path: string,
  onProgress: (progress: BuildProgress) => void,
): FollowedProgress {
  let before: string | undefined;
  let told: string | undefined;
  let beats = 0;
  const look = (): void =>
    quietly(() => {
      const text = readFileSync(path, "utf8");
      if (text === before) return;
      if (before !== undefined) beats += 1;
      before = text;
      const progress = parseProgress(text);
      const name = JSON.stringify(progress);
      if (progress === undefined || name === told) return;
      told = name;
      onProgress(progress);
    });
  look();
  const timer = setInterval(look, periodMs).unref();
  return {
    get beats() {
      return beats;
    },
    [Symbol.dispose]: () => clearInterval(timer),
  };
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
