import type { GlobalOptions, ProgressMode } from "../command/global-values.ts";
import type { Host } from "../host/host.ts";
import { createPaint, mayRedraw } from "../output/paint.ts";
import { createJsonRenderer } from "./json.ts";
import { createPlainRenderer, createSilentRenderer } from "./plain.ts";
import type { ProgressRenderer } from "./shown-event.ts";

/** The renderer that the flags and the terminal ask for. */
export async function createRenderer(
  host: Host,
  globals: GlobalOptions,
): Promise<ProgressRenderer> {
  const facts = { allowed: globals.color, isTerminal: host.stderr.isTerminal, env: host.env };
  const options = {
    stderr: host.stderr,
    paint: createPaint(facts),
    logLevel: globals.logLevel,
    isJson: globals.format === "json",
    now: () => host.now(),
  };
  switch (chooseMode(globals, mayRedraw(facts))) {
    case "json":
      return createJsonRenderer(options);
    case "none":
      return createSilentRenderer(options);
    case "tty": {
      const { createTtyRenderer } = await import("./tty.ts");
      return createTtyRenderer({ ...options, stream: host.stderrStream });
    }
    default:
      return createPlainRenderer(options);
  }
}

/** `--quiet` shows no progress; a terminal that cannot be redrawn gets plain lines even when `tty` was asked for. */
export function chooseMode(
  { progress, quiet }: Pick<GlobalOptions, "progress" | "quiet">,
  canRedraw: boolean,
): Exclude<ProgressMode, "auto"> {
  if (progress === "json") return "json";
  if (progress === "none" || quiet) return "none";
  return canRedraw && progress !== "plain" ? "tty" : "plain";
}
