import type { LogLevel } from "../command/global-values.ts";
import type { OutputStream } from "../host/host.ts";
import { formatJsonLine } from "../output/json.ts";
import type { Paint } from "../output/paint.ts";
import { describeEvent, describeProgress, isShown, levelOf } from "./describe.ts";
import type { ProgressRenderer, ShownEvent } from "./shown-event.ts";

/** What the renderers share. */
export interface RendererOptions {
  /** Where the lines go. */
  readonly stderr: OutputStream;
  /** Colours of stderr. */
  readonly paint: Paint;
  /** The least important message to show. */
  readonly logLevel: LogLevel;
  /** Whether what is shown is written as lines of JSON, for `--format json`. */
  readonly isJson?: boolean;
  /** Milliseconds on a clock that never goes back. */
  now(): number;
}

/** An event with a message as one line, in the form that was asked for. */
export function messageLine(
  event: ShownEvent,
  { isJson, paint }: Pick<RendererOptions, "isJson" | "paint">,
): string {
  return isJson ? formatJsonLine(event) : describeEvent(event, paint);
}

const progressIntervalMs = 1000;

/** Lines that stay: for logs and pipes. Progress shows at most once a second for each item, the first after a second. */
export function createPlainRenderer(options: RendererOptions): ProgressRenderer {
  const { stderr, logLevel, now, isJson } = options;
  const lastShownMs = new Map<string, number>();
  const showProgress = (event: ShownEvent) => {
    const key = JSON.stringify([event.task, event.item]);
    const last = lastShownMs.get(key);
    if (last === undefined) lastShownMs.set(key, now());
    else if (now() - last >= progressIntervalMs) {
      lastShownMs.set(key, now());
      stderr.write(`${isJson ? formatJsonLine(event) : describeProgress(event)}\n`);
    }
  };
  return {
    event: (event) => {
      const level = levelOf(event);
      if (level !== undefined) {
        if (isShown(level, logLevel)) stderr.write(`${messageLine(event, options)}\n`);
      } else if (isShown("info", logLevel)) showProgress(event);
    },
    print: (text) => stderr.write(`${text}\n`),
    close: () => {},
  };
}

/** No progress: warnings and what is asked for by `--log-level`. */
export function createSilentRenderer(options: RendererOptions): ProgressRenderer {
  const { stderr, logLevel } = options;
  const quietest: LogLevel = logLevel === "info" ? "warn" : logLevel;
  return {
    event: (event) => {
      const level = levelOf(event);
      if (level !== undefined && isShown(level, quietest)) {
        stderr.write(`${messageLine(event, options)}\n`);
      }
    },
    print: (text) => stderr.write(`${text}\n`),
    close: () => {},
  };
}
