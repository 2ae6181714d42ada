import { type SpawnSyncReturns, spawnSync } from "node:child_process";

/** Whether a program can be started. */
export function has(program: string): boolean {
  return spawnSync(program, ["-V"], { stdio: "ignore" }).error === undefined;
}

/** Whether the tools of e2fsprogs are installed, and a title that says so when they are not. */
export const hasE2fsprogs: boolean = has("e2fsck") && has("debugfs");

/** A title for tests that need e2fsprogs. */
export function needsE2fsprogs(title: string): string {
  return hasE2fsprogs ? title : `${title} (skipped: e2fsprogs is not installed)`;
}

/** What e2fsck says of an image that it may not change. */
export function checkImage(path: string): {
  readonly status: number | null;
  readonly report: string;
} {
  const { status, stdout } = run("e2fsck", ["-f", "-n", path]);
  return { status, report: stdout };
}

/** The report of a clean image starts with the five passes and has one line after them. */
export const cleanReport: RegExp =
  /^Pass 1: [^\n]*\nPass 2: [^\n]*\nPass 3: [^\n]*\nPass 4: [^\n]*\nPass 5: [^\n]*\n[^\n]* blocks\n$/;

/** Asks debugfs. */
export function debugfs(path: string, request: string): string {
  return run("debugfs", ["-R", request, path]).stdout;
}

/** Runs a program. */
export function run(program: string, args: readonly string[]): SpawnSyncReturns<string> {
  const env = { ...process.env, LC_ALL: "C", TZ: "UTC", DEBUGFS_PAGER: "cat", PAGER: "cat" };
  return spawnSync(program, args, { encoding: "utf8", env, maxBuffer: 2 ** 28 });
}
