import { createHash, randomUUID } from "node:crypto";
import { mkdir, readdir, readFile, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { GuestError } from "../errors.ts";
import { runProgram } from "../internal/run-program.ts";
import { type AgentBinary, describeAgent, findAgentDirectory } from "./agent-files.ts";

/** How the agent is compiled. */
export interface CompileAgentOptions {
  /** Folder that compiled agents are kept in, by a digest of what they were made from. Is made when it is missing. */
  readonly cacheDirectory: string;
  /** The C compilers that are tried in order, by name or path; those of the machine unless given. */
  readonly compilers?: readonly string[];
  /** Stops it. */
  readonly signal?: AbortSignal;
}

const usualCompilers = ["musl-gcc", "gcc", "cc"];

const flags = [
  ...["-std=c11", "-D_GNU_SOURCE", "-Os", "-static", "-s"],
  ...["-Wall", "-Wextra", "-Werror", "-Wshadow", "-Wl,--build-id=none"],
];

/**
 * Compiles the agent, unless this was done before from the same sources with the same compiler. Several processes may do it
 * at once.
 *
 * @throws GuestError `GUEST_COMPILER_MISSING`, `GUEST_COMPILE_FAILED`.
 */
export async function compileAgent(options: CompileAgentOptions): Promise<AgentBinary> {
  const { cacheDirectory, compilers = usualCompilers, signal } = options;
  const stoppable = signal === undefined ? {} : { signal };
  const directory = await findAgentDirectory();
  const sources = await readSources(directory);
  let failure: GuestError | undefined;
  for (const compiler of compilers) {
    const version = await runProgram(compiler, ["--version"], stoppable);
    if (version === undefined) continue;
    const key = createHash("sha256").update(JSON.stringify([compiler, version.output, flags]));
    for (const { name, text } of sources) key.update(`${name}\0${text}\0`);
    const path = join(cacheDirectory, `box-agent-${key.digest("hex").slice(0, 32)}`);
    const kept = await describeAgent(path);
    if (kept !== undefined) return kept;
    await mkdir(cacheDirectory, { recursive: true });
    const draft = `${path}.${randomUUID()}`;
    try {
      const files = sources.map(({ name }) => name).filter((name) => name.endsWith(".c"));
      const paths = files.map((name) => join(directory, name));
      const made = await runProgram(compiler, [...flags, ...paths, "-o", draft], stoppable);
      if (made?.exitCode === 0) {
        await rename(draft, path);
        const compiled = await describeAgent(path);
        if (compiled !== undefined) return compiled;
      }
      failure = compileFailed(compiler, made?.output ?? "");
    } finally {
      await rm(draft, { force: true });
    }
  }
  throw failure ?? compilerMissing(compilers);
}

async function readSources(directory: string): Promise<{ name: string; text: string }[]> {
  const names = (await readdir(directory)).filter((name) => /\.[ch]$/.test(name));
  return Promise.all(
    names.sort().map(async (name) => {
      return { name, text: await readFile(join(directory, name), "utf8") };
    }),
  );
}

function compilerMissing(compilers: readonly string[]): GuestError {
  return new GuestError({
    code: "GUEST_COMPILER_MISSING",
    message: `the agent cannot be compiled: there is none of ${compilers.join(", ")}`,
    details: { compilers },
    hint: "install a C compiler: apt-get install musl-tools, or gcc with the static C library",
  });
}

function compileFailed(compiler: string, output: string): GuestError {
  return new GuestError({
    code: "GUEST_COMPILE_FAILED",
    message: `${compiler} cannot compile the agent`,
    details: { compiler, output },
    hint: "install musl-tools, or the static C library of gcc; the details have what the compiler said",
  });
}
