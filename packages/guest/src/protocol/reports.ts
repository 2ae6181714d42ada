import { protocolError } from "./frames.ts";

/** What the agent tells of itself when a session begins. */
export interface ReadyReport {
  /** Version of the protocol that both sides speak. */
  readonly version: number;
  /** The agent and its version, such as `box-agent 1`. */
  readonly agent: string;
  /** What `hello` carried. */
  readonly nonce: bigint;
  /** Release of the guest's kernel. */
  readonly kernel: string;
  /** Milliseconds from the kernel's start until stages of the guest's own, such as `modules`, were reached. */
  readonly stagesMs: Readonly<Record<string, number>>;
}

const longestText = 256;
const mostEntries = 64;

/**
 * Parses what `ready` carries.
 *
 * @throws GuestError `GUEST_PROTOCOL`.
 */
export function parseReadyReport(text: string): ReadyReport {
  const fields = fieldsOf(parse(text));
  const nonce = textOf(fields["nonce"]);
  if (!/^[0-9a-f]{16}$/.test(nonce)) throw damaged();
  const stages = Object.entries(fieldsOf(fields["stagesMs"]));
  if (stages.length > mostEntries) throw damaged();
  return {
    version: numberOf(fields["version"]),
    agent: textOf(fields["agent"]),
    nonce: BigInt(`0x${nonce}`),
    kernel: textOf(fields["kernel"]),
    stagesMs: Object.fromEntries(stages.map(([name, ms]) => [textOf(name), numberOf(ms)])),
  };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw damaged();
  }
}

function fieldsOf(value: unknown): Readonly<Record<string, unknown>> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw damaged();
  return value as Readonly<Record<string, unknown>>;
}

function textOf(value: unknown): string {
  if (typeof value !== "string" || value.length > longestText) throw damaged();
  return value;
}

function numberOf(value: unknown): number {
  if (typeof value !== "number" || !Number.isSafeInteger(value) || value < 0) throw damaged();
  return value;
}

function damaged(): Error {
  return protocolError("the guest's report about itself is damaged");
}
