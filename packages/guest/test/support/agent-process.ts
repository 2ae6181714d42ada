import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import type { Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { compileAgent } from "@box/guest/boot";
import { AgentHost } from "./agent-host.ts";

let compiled: Promise<string> | undefined;

/** The agent, compiled once for all test files of a worker, and kept for the next run. */
export function agentPath(): Promise<string> {
  const cacheDirectory = join(import.meta.dirname, "../../../../.cache/agent");
  compiled ??= compileAgent({ cacheDirectory }).then(({ path }) => path);
  return compiled;
}

/** The agent as an ordinary process on a socket pair. */
export class AgentProcess extends AgentHost implements AsyncDisposable {
  readonly folder: string = mkdtempSync(join(tmpdir(), "box-agent-"));
  readonly exited: Promise<number | null>;
  readonly pid: number;
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess) {
    super(child.stdio[3] as Socket);
    this.#child = child;
    this.pid = child.pid ?? 0;
    this.exited = new Promise((resolve) => child.on("exit", (code) => resolve(code)));
    void this.exited.then((code) => this.end(`the agent ended with ${code}`));
  }

  /** Starts one, for which this machine is the box. */
  static async start(): Promise<AgentProcess> {
    const child = spawn(await agentPath(), ["--test", "3"], {
      stdio: ["ignore", "inherit", "inherit", "pipe"],
    });
    return new AgentProcess(child);
  }

  /** Starts one whose session has begun. */
  static async ready(): Promise<AgentProcess> {
    const agent = await AgentProcess.start();
    await agent.hello();
    return agent;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.hangUp();
    const timer = setTimeout(() => this.#child.kill("SIGKILL"), 5000);
    await this.exited;
    clearTimeout(timer);
    rmSync(this.folder, { recursive: true, force: true });
  }
}
