import { spawn } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, symlinkSync } from "node:fs";
import { delimiter, join } from "node:path";
import { findProgram } from "../../../scripts/oracles.mjs";
import { TemporaryFolder } from "../workspace.ts";

/** How a program ended, and what it wrote. */
export interface Ending {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/**
 * A repository of its own with the real start-up scripts and stubs in place of every tool.
 *
 * The stubs write their names into `calls`, and fail when their name is in the variable FAULTY.
 */
export class StubRepository extends TemporaryFolder {
  readonly #path: string;

  constructor() {
    super();
    this.copy("tooling/scripts");
    this.write({
      "package.json": {
        name: "stub",
        type: "module",
        packageManager: "pnpm@99.1.2",
        engines: { node: "*" },
        scripts: { verify: "node tooling/scripts/verify.mjs", echo: "node echo.mjs" },
      },
      ".node-version": "24.0.0\n",
      "pnpm-lock.yaml": "lock: 1\n",
      "pnpm-workspace.yaml": "packages: []\n",
      "apps/cli/src/main.ts": "one\n",
      "packages/one/package.json": { name: "@box/one", scripts: { test: "vitest run" } },
      "tooling/tsup/index.ts": "",
      "tooling/tsconfig/base.json": "{}",
      "echo.mjs": echo,
    });
    this.#path = join(this.path, "stubs");
    mkdirSync(this.#path);
    for (const name of ["sh", "git", "cat", "mkdir", "cp"]) {
      symlinkSync(findProgram(name) ?? `/bin/${name}`, join(this.#path, name));
    }
    symlinkSync(process.execPath, join(this.#path, "node"));
    this.#stub(join("stubs", "pnpm"), pnpm);
    for (const name of ["biome", "depcruise", "knip", "tsc", "typedoc"]) {
      this.#stub(join("stubs", name), "");
    }
    this.#stub("turbo.sh", turbo);
  }

  /** The tools that have run since the last call. */
  takeCalls(): string[] {
    const calls = existsSync(join(this.path, "calls")) ? this.read("calls") : "";
    this.write({ calls: "" });
    return calls.split("\n").filter((line) => line !== "");
  }

  /** Starts a script of the repository; stops it by `signal` once it has written `ready`. */
  run(
    script: string,
    args: readonly string[],
    options: {
      readonly env?: NodeJS.ProcessEnv;
      readonly cwd?: string;
      readonly signal?: NodeJS.Signals;
    } = {},
  ): Promise<Ending> {
    const { CI: _ci, INIT_CWD: _cwd, ...inherited } = process.env;
    const child = spawn(process.execPath, [join(this.path, "tooling/scripts", script), ...args], {
      cwd: options.cwd ?? this.path,
      env: { ...inherited, PATH: [this.#path].join(delimiter), ...options.env },
      stdio: ["ignore", "pipe", "pipe"],
    });
    let { signal } = options;
    const ending = { stdout: "", stderr: "" };
    child.stdout.setEncoding("utf8").on("data", (text) => {
      ending.stdout += text;
      if (signal === undefined || !ending.stdout.includes("ready")) return;
      child.kill(signal);
      signal = undefined;
    });
    child.stderr.setEncoding("utf8").on("data", (text) => {
      ending.stderr += text;
    });
    return new Promise((resolve, reject) => {
      child.on("error", reject);
      child.on("close", (code, endedBy) => resolve({ code, signal: endedBy, ...ending }));
    });
  }

  #stub(name: string, body: string): void {
    const tool = name.split("/").at(-1)?.replace(".sh", "");
    const head = `#!/bin/sh\nset -e\nroot=${this.path}\n`;
    const log = `echo "${tool} $1" >> "$root/calls"\n`;
    const fault = `case " $FAULTY " in *" ${tool} "*) echo "${tool} is red" >&2; exit 3;; esac\n`;
    this.write({ [name]: `${head}${log}${fault}${body}` });
    chmodSync(join(this.path, name), 0o755);
  }
}

/** Prints its arguments and folder; waits for a signal when asked to. */
const echo = `
console.log(JSON.stringify({ args: process.argv.slice(2), cwd: process.cwd() }));
if (process.argv[2] === "wait") {
  process.on("SIGTERM", () => process.exit(41));
  process.on("SIGINT", () => process.exit(42));
  setTimeout(() => process.exit(43), 60_000);
  console.log("ready");
} else process.exitCode = Number(process.argv[2] ?? 0);
`;

const pnpm = `
if [ "$1" = --version ]; then echo 99.1.2; exit 0; fi
echo "pnpm chatter"
mkdir -p "$root/node_modules/.bin"
echo "installed" > "$root/node_modules/.modules.yaml"
cp "$root/turbo.sh" "$root/node_modules/.bin/turbo"
`;

const turbo = `
echo "turbo chatter"
mkdir -p "$root/apps/cli/dist" "$root/packages/one/.results" "$root/.turbo/runs"
cp "$root/echo.mjs" "$root/apps/cli/dist/main.js"
if [ -n "$REPORT" ]; then echo "$REPORT" > "$root/packages/one/.results/vitest.json"; fi
if [ -n "$SUMMARY" ]; then echo "$SUMMARY" > "$root/.turbo/runs/one.json"; fi
exit \${TURBO_CODE:-0}
`;
