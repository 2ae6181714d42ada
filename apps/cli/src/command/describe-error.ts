import { type BoxError, isBoxError, kindOf } from "@box/errors";
import type { Qcow2ErrorCode } from "@box/qcow2";
import type { Host } from "../host/host.ts";
import { createPaint } from "../output/paint.ts";
import { renderError } from "../output/render-error.ts";
import type { GlobalOptions } from "./global-values.ts";

/** An error as it is printed; that of a bug writes a file for the report first. */
export async function describeError(
  host: Host,
  error: unknown,
  globals: GlobalOptions | undefined,
): Promise<string> {
  const crashFile = kindOf(error) === "internal" ? host.writeCrashFile(error) : undefined;
  const advice = await adviceFor(error);
  return renderError(error, {
    format: isJsonWanted(host, globals) ? "json" : "text",
    paint: createPaint({
      allowed: globals?.color ?? !host.argv.includes("--no-color"),
      isTerminal: host.stderr.isTerminal,
      env: host.env,
    }),
    ...(advice === undefined ? {} : { advice }),
    ...(crashFile === undefined ? {} : { crashFile }),
  });
}

/** Errors without a hint, or with one that knows no commands of box, still have a page. */
async function adviceFor(error: unknown): Promise<string | undefined> {
  if (!isBoxError(error)) return undefined;
  if (error.hint !== undefined && !(await isGeneralHint(error))) return undefined;
  const { findPage } = await import("../explain/pages/all.ts");
  return findPage(error.code)?.advice;
}

async function isGeneralHint({ code, hint }: BoxError): Promise<boolean> {
  if (!code.startsWith("QCOW2_")) return false;
  const { qcow2ErrorHints } = await import("@box/qcow2");
  return qcow2ErrorHints[code as Qcow2ErrorCode] === hint;
}

/**
 * Whether errors are lines of JSON: with `--format json`, and where progress is, so that stderr is NDJSON throughout.
 * A command line that could not be parsed may still have asked for it.
 */
function isJsonWanted({ argv, env }: Host, globals: GlobalOptions | undefined): boolean {
  if (globals !== undefined) return globals.format === "json" || globals.progress === "json";
  const { BOX_PROGRESS } = env;
  const progress = flagWord(argv, "--progress") ?? BOX_PROGRESS;
  return flagWord(argv, "--format") === "json" || progress === "json";
}

function flagWord(argv: readonly string[], flag: string): string | undefined {
  const joined = argv.find((word) => word.startsWith(`${flag}=`));
  if (joined !== undefined) return joined.slice(flag.length + 1);
  const index = argv.indexOf(flag);
  return index === -1 ? undefined : argv[index + 1];
}
