import { protocolError } from "./frames.ts";

/** What the agent tells of itself when a session begins. */
export interface ReadyReport {
  /** Version of the protocol that both sides speak. */
  readonly version: number;
  /** The agent and its version, such as `box-agent 1`. */
  readonly agent: string;
  /** What `hello` carried. */
  readonly nonce: bigint;
  /** Whether the disks are mounted already. */
  readonly isMounted: boolean;
  /** Release of the guest's kernel. */
  readonly kernel: string;
  /** Milliseconds from the kernel's start until stages of the guest's own, such as `modules`, were reached. */
  readonly stagesMs: Readonly<Record<string, number>>;
}

/** Something that mounting did not do and that the guest goes on without. */
export interface MountWarning {
  /** What was tried, such as `grow` or `/dev`. */
  readonly step: string;
  /** Linux error number. */
  readonly errno: number;
}

/** What mounting the disks did. */
export interface MountReport {
  /** Whether they were mounted before; then nothing was done. */
  readonly wasMounted: boolean;
  /** What is not as asked. */
  readonly warnings: readonly MountWarning[];
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
    isMounted: truthOf(fields["isMounted"]),
    kernel: textOf(fields["kernel"]),
    stagesMs: Object.fromEntries(stages.map(([name, ms]) => [textOf(name), numberOf(ms)])),
  };
}

/**
 * Parses what `mounted` carries.
 *
 * @throws GuestError `GUEST_PROTOCOL`.
 */
export function parseMountReport(text: string): MountReport {
  const fields = fieldsOf(parse(text));
  const warnings = fields["warnings"];
  if (!Array.isArray(warnings) || warnings.length > mostEntries) throw damaged();
  return {
    wasMounted: truthOf(fields["wasMounted"]),
    warnings: warnings.map((warning: unknown) => {
      const { step, errno } = fieldsOf(warning) as { step?: unknown; errno?: unknown };
      return { step: textOf(step), errno: numberOf(errno) };
    }),
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

function truthOf(value: unknown): boolean {
  if (typeof value !== "boolean") throw damaged();
  return value;
}

function damaged(): Error {
  return protocolError("the guest's report about itself is damaged");
}
