import { createHash } from "node:crypto";
import { access, readFile } from "node:fs/promises";
import { join } from "node:path";
import { GuestError } from "../errors.ts";

/** A compiled agent. */
export interface AgentBinary {
  /** Path of the program. */
  readonly path: string;
  /** `sha256:` and 64 hexadecimal digits of its bytes. */
  readonly digest: string;
}

/**
 * Where the agent's sources are, and the compiled agent in what is published, seen from this module: in the built package, in a
 * program that everything is bundled into, and in the repository. `agent/build.ts` fills the former two.
 */
const places = ["../agent", "agent", "../../agent"];

/** The folder that holds the agent's sources. */
export async function findAgentDirectory(): Promise<string> {
  for (const place of places) {
    const directory = join(import.meta.dirname, place);
    if (await isThere(join(directory, "agent.h"))) return directory;
  }
  throw new GuestError({
    code: "GUEST_COMPILE_FAILED",
    message: "the sources of the agent are not where they belong",
    details: { near: import.meta.dirname },
    hint: "install the package again",
  });
}

/** The name of the compiled agent in what is published. */
export function prebuiltAgentName(): string {
  return `box-agent-${process.arch}`;
}

/** An agent that is there; undefined when it is not. */
export async function describeAgent(path: string): Promise<AgentBinary | undefined> {
  if (!(await isThere(path))) return undefined;
  const digest = createHash("sha256")
    .update(await readFile(path))
    .digest("hex");
  return { path, digest: `sha256:${digest}` };
}

async function isThere(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
