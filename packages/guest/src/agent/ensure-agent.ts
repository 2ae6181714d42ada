import { join } from "node:path";
import {
  type AgentBinary,
  describeAgent,
  findAgentDirectory,
  prebuiltAgentName,
} from "./agent-files.ts";
import { type CompileAgentOptions, compileAgent } from "./compile-agent.ts";

/**
 * The agent for this machine's architecture: the one that was published with this package, else it is compiled once.
 *
 * @throws GuestError `GUEST_COMPILER_MISSING`, `GUEST_COMPILE_FAILED`.
 */
export async function ensureAgent(options: CompileAgentOptions): Promise<AgentBinary> {
  const prebuilt = await describeAgent(join(await findAgentDirectory(), prebuiltAgentName()));
  return prebuilt ?? compileAgent(options);
}
