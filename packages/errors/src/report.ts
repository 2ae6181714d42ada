import { isBoxError, kindOf } from "./box-error.ts";
import { type ErrorKind, kindOutcomes } from "./kinds.ts";

/** An error as plain data: the one shape of the CLI's JSON, the server's problem objects and the event stream. */
export interface ErrorReport {
  /** The failure's stable name; `INTERNAL` for an error that no package threw on purpose. */
  readonly code: string;
  /** What a caller may do about it. */
  readonly kind: ErrorKind;
  /** One sentence for a person. */
  readonly message: string;
  /** Facts for programs. */
  readonly details: Readonly<Record<string, unknown>>;
  /** What a person can do next. */
  readonly hint?: string;
  /** Whether the same call may succeed later without any change. */
  readonly retryable: boolean;
  /** The messages of the causes, nearest first; a system error as `ERRNO: message`. */
  readonly cause: readonly string[];
}

const maxCauses = 8;
const unreadable = "a value was thrown that cannot be read";

/** Turns any thrown value into plain data. Never throws, keeps no stack trace. */
export function toErrorReport(error: unknown): ErrorReport {
  try {
    return reportOf(error);
  } catch {
    // A value that throws when it is looked at.
    const nothing = { details: {}, retryable: false, cause: [] };
    return { code: "INTERNAL", kind: "internal", message: unreadable, ...nothing };
  }
}

function reportOf(error: unknown): ErrorReport {
  const known = isBoxError(error) ? error : undefined;
  return {
    code: known?.code ?? (kindOf(error) === "aborted" ? "ABORTED" : "INTERNAL"),
    kind: kindOf(error),
    message: messageOf(error),
    details: plainOf(known?.details ?? {}),
    ...(known?.hint === undefined ? {} : { hint: known.hint }),
    retryable: known?.retryable ?? false,
    cause: causesOf(error),
  };
}

/** Exit code of the `box` command for a thrown value. */
export function exitCodeOf(error: unknown): number {
  return kindOutcomes[kindOf(error)].exitCode;
}

/** HTTP status of the box server for a thrown value. */
export function httpStatusOf(error: unknown): number {
  return kindOutcomes[kindOf(error)].httpStatus;
}

function causesOf(error: unknown): string[] {
  const seen = new Set<unknown>();
  let current = causeOf(error);
  while (current !== undefined && seen.size < maxCauses && !seen.has(current)) {
    seen.add(current);
    current = causeOf(current);
  }
  return [...new Set([...seen].map(messageOf))];
}

function causeOf(error: unknown): unknown {
  try {
    return error instanceof Error ? error.cause : undefined;
  } catch {
    return undefined;
  }
}

function messageOf(error: unknown): string {
  try {
    return String(error instanceof Error ? error.message : error);
  } catch {
    return unreadable;
  }
}

/** What is no JSON in spite of its type would stop the report where it is written. */
function plainOf(details: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  if (isJson(details)) return details;
  return Object.fromEntries(Object.entries(details).filter(([, value]) => isJson(value)));
}

function isJson(value: unknown): boolean {
  try {
    JSON.stringify(value);
    return true;
  } catch {
    return false;
  }
}
