import { execFileSync, spawnSync } from "node:child_process";
import { chmodSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Whether the oracle is installed; tests that need it are skipped without it. */
export const hasQemuImg: boolean = spawnSync("qemu-img", ["--version"]).status === 0;

if (!hasQemuImg) process.stderr.write("skipping oracle tests: qemu-img is not installed\n");

/** A temporary folder that an unprivileged process can read. */
export function temporaryFolder(): { path: string } & Disposable {
  const path = mkdtempSync(join(tmpdir(), "box-qcow2-"));
  chmodSync(path, 0o755);
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) };
}

/**
 * Runs qemu-img on images that the test made itself.
 *
 * It times itself to choose how often a LUKS key is derived, and gives up on a busy machine: then it is run again.
 */
export function qemuImg(folder: string, ...args: readonly string[]): string {
  for (let tries = 1; ; tries++) {
    try {
      return execFileSync("qemu-img", args, { cwd: folder, encoding: "utf8", stdio: "pipe" });
    } catch (error) {
      if (tries === 20 || !String(error).includes("accurate CPU usage")) throw error;
    }
  }
}

/** Runs qemu-io on images that the test made itself; what comes before the first command with a space are options. */
export function qemuIo(folder: string, image: string, ...commands: readonly string[]): string {
  const first = commands.findIndex((command) => command.includes(" "));
  const options = commands.slice(0, Math.max(0, first));
  const args = [
    ...options,
    ...commands.slice(options.length).flatMap((command) => ["-c", command]),
  ];
  return execFileSync("qemu-io", [...args, image], {
    cwd: folder,
    encoding: "utf8",
    stdio: "pipe",
  });
}

const unprivileged = ["--reuid=65534", "--regid=65534", "--clear-groups", "--no-new-privs"];

/** What `qemu-img check` says about an image that may be hostile: run without privileges where this process has them. */
export function qemuVerdict(
  folder: string,
  image: string,
): "clean" | "leaks" | "corrupt" | "refused" | "died" {
  const { status } = runUnprivileged(folder, ["qemu-img", "check", "-q", "-f", "qcow2", image]);
  const verdicts = { 0: "clean", 1: "refused", 2: "corrupt", 3: "leaks" } as const;
  return verdicts[status as keyof typeof verdicts] ?? "died";
}

/** What `qemu-img check --output=json` says. */
export interface QemuCheck {
  /** Its exit status; `null` when it was killed or took too long. */
  readonly status: number | null;
  /** The counters; absent when it gave up. */
  readonly json?: Record<string, unknown>;
  /** What it complains about. */
  readonly messages: string;
}

/** Checks an image that may be hostile with `qemu-img check`. */
export function qemuCheck(folder: string, openArguments: readonly string[]): QemuCheck {
  const command = ["qemu-img", "check", "--output=json", ...openArguments];
  const { status, stdout, stderr } = runUnprivileged(folder, command);
  return toQemuCheck(status, stdout, stderr);
}

/** What the output of `qemu-img check --output=json` says. */
export function toQemuCheck(status: number | null, stdout: string, messages: string): QemuCheck {
  const json: Record<string, unknown> | undefined = stdout.startsWith("{")
    ? JSON.parse(stdout)
    : undefined;
  return { status, ...(json && { json }), messages };
}

/** What `qemu-img map --output=json` prints. */
export function qemuMap(folder: string, openArguments: readonly string[]): unknown {
  const command = ["qemu-img", "map", "--output=json", ...openArguments];
  return JSON.parse(runUnprivileged(folder, command).stdout);
}

/** Runs a tool that must not write, without privileges where this process has them. */
function runUnprivileged(folder: string, command: readonly string[]) {
  const [name, ...args] = withoutPrivileges(command);
  const options = { cwd: folder, timeout: 20_000, maxBuffer: 2 ** 27, encoding: "utf8" } as const;
  return spawnSync(name as string, args, options);
}

/** A command that runs as nobody where this process may choose, and can never gain rights. */
export function withoutPrivileges(command: readonly string[]): readonly string[] {
  return process.getuid?.() === 0 ? ["setpriv", ...unprivileged, ...command] : command;
}
