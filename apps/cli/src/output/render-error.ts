import { toErrorReport } from "@box/errors";
import { formatJsonLine } from "./json.ts";
import type { Paint } from "./paint.ts";
import { visible } from "./visible.ts";

/** How an error is printed. */
export interface RenderErrorOptions {
  /** `json` prints one line `{"error": ...}`; anything else the form for people. */
  readonly format: string;
  /** Colours of stderr. */
  readonly paint: Paint;
  /** What to do about it, in place of what the error itself says. */
  readonly advice?: string;
  /** Where the stack trace of an internal error was written. */
  readonly crashFile?: string;
}

/**
 * The text of an error, with a closing line break: `error[CODE]: message`, its details, its causes and what to do.
 * Never a stack trace.
 */
export function renderError(
  error: unknown,
  { format, paint, advice, crashFile }: RenderErrorOptions,
): string {
  const found = toErrorReport(error);
  const hint = advice ?? found.hint;
  const report = { ...found, ...(hint === undefined ? {} : { hint }) };
  if (format === "json") {
    const where = crashFile === undefined ? {} : { crashFile };
    return `${formatJsonLine({ error: { ...report, ...where } })}\n`;
  }
  const head = `${paint.red(paint.bold(`error[${report.code}]`))}: ${visible(report.message)}`;
  const causes = report.cause.filter((cause) => !report.message.includes(cause));
  const rows = [
    ...Object.entries(report.details)
      .filter(([, value]) => value !== undefined && value !== null)
      .map(([name, value]) => [name, detailText(value)] as const),
    ...causes.map((cause) => ["because", cause] as const),
    ...hintRows(report.hint),
    ...(crashFile === undefined
      ? []
      : [["more", `this is a fault in box; its stack trace is in ${crashFile}`] as const]),
    ...(report.kind === "internal" ? [] : [["more", `box explain ${report.code}`] as const]),
  ];
  const width = Math.max(...rows.map(([name]) => name.length));
  const lines = rows.map(
    ([name, text]) => `  ${paint.dim(visible(name).padEnd(width))}  ${visible(text)}`,
  );
  return `${[head, ...lines].join("\n")}\n`;
}

function hintRows(hint: string | undefined): (readonly [string, string])[] {
  if (hint === undefined) return [];
  return hint.split("\n").map((line, index) => [index === 0 ? "try" : "", line] as const);
}

function detailText(value: unknown): string {
  return typeof value === "string" ? value : formatJsonLine(value);
}
