import { createLogUpdate } from "log-update";
import { visible } from "../output/visible.ts";
import { describeProgress, formatDuration, isShown, levelOf } from "./describe.ts";
import { messageLine, type RendererOptions } from "./plain.ts";
import type { ProgressRenderer, ShownEvent } from "./shown-event.ts";

/** A renderer that redraws. */
export interface TtyRendererOptions extends RendererOptions {
  /** The terminal. */
  readonly stream: NodeJS.WritableStream;
}

interface Line {
  readonly sinceMs: number;
  text: string;
}

const redrawIntervalMs = 100;
const mostLines = 12;
const spinner = ["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"];

/** One line for each task and item under way, redrawn in place; finished ones and messages scroll away above. */
export function createTtyRenderer(options: TtyRendererOptions): ProgressRenderer {
  const { paint, logLevel, now, stream } = options;
  const screen = createLogUpdate(stream as NodeJS.WriteStream);
  const lines = new Map<string, Line>();
  let frame = 0;
  let isDrawn = false;
  // With nothing under way the screen, its cursor too, belongs to others, such as the command that a box runs.
  const leave = () => {
    if (!isDrawn) return;
    isDrawn = false;
    screen.clear();
    screen.done();
  };
  const draw = () => {
    if (lines.size === 0) return;
    isDrawn = true;
    frame += 1;
    const sign = paint.cyan(spinner[frame % spinner.length] ?? "");
    const shown = [...lines.values()].slice(-mostLines);
    screen(
      shown
        .map(({ text, sinceMs }) => `${sign} ${text} ${paint.dim(formatDuration(now() - sinceMs))}`)
        .join("\n"),
    );
  };
  const timer = setInterval(draw, redrawIntervalMs);
  timer.unref();
  const persist = (text: string) => {
    screen.clear();
    screen.persist(text);
  };
  return {
    event: (event) => {
      updateLines(lines, event, now());
      const level = levelOf(event);
      if (level !== undefined && isShown(level, logLevel)) persist(messageLine(event, options));
      if (lines.size === 0) leave();
    },
    print: persist,
    close: () => {
      clearInterval(timer);
      leave();
    },
  };
}

function updateLines(lines: Map<string, Line>, event: ShownEvent, nowMs: number): void {
  const task = event.task ?? "box";
  if (event.type === "finished" || event.type === "failed" || event.type === "cancelled") {
    for (const key of lines.keys()) {
      if (key === task || key.startsWith(`${task}\0`)) lines.delete(key);
    }
    return;
  }
  const key = event.item === undefined ? task : `${task}\0${event.item}`;
  if (event.type === "started") lines.set(key, { sinceMs: nowMs, text: visible(task) });
  if (event.type !== "progress") return;
  if (event.total !== undefined && event.done === event.total && event.item !== undefined) {
    lines.delete(key);
    return;
  }
  const line = lines.get(key) ?? { sinceMs: nowMs, text: "" };
  line.text = describeProgress(event);
  lines.set(key, line);
}
