import { styleText } from "node:util";

/** Where the story goes: a terminal or anything else that takes text. */
export interface Page {
  /** Whether a person watches; only then there are colours. */
  readonly isTTY?: boolean;
  /** Adds text. */
  write(text: string): unknown;
}

/** How a line is meant, and with it how it looks on a terminal. */
export type Tone = "title" | "good" | "bad" | "quiet" | "warning";

const styles = {
  title: "bold",
  good: "green",
  bad: "red",
  quiet: "dim",
  warning: "yellow",
} as const;

const widthColumns = 92;
const indent = "   ";

/** Tells what happens, a step at a time, in lines of at most 92 columns. No colours unless it writes to a terminal. */
export class Narrator {
  readonly #page: Page;
  readonly #hasColours: boolean;
  #steps = 0;

  constructor(page: Page, hasColours: boolean = page.isTTY === true) {
    this.#page = page;
    this.#hasColours = hasColours;
  }

  /** Opens the story. */
  title(text: string): void {
    this.#line(this.paint("title", text));
  }

  /** Begins the next numbered step. */
  step(text: string): void {
    this.#steps += 1;
    this.#line("");
    this.#line(this.paint("title", `${this.#steps}. ${text}`));
  }

  /** Says something in words, wrapped and indented. */
  say(text: string, tone?: Tone): void {
    for (const line of wrap(text, widthColumns - indent.length)) {
      this.#line(`${indent}${tone === undefined ? line : this.paint(tone, line)}`);
    }
  }

  /** Shows lines as they are, indented. */
  show(lines: readonly string[], tone?: Tone): void {
    for (const line of lines) {
      this.#line(
        line === "" ? "" : `${indent}${tone === undefined ? line : this.paint(tone, line)}`,
      );
    }
  }

  /** Quotes what a program printed: quiet, behind a bar, wrapped when a line is too long. */
  quote(line: string): void {
    const columns = widthColumns - indent.length - 2;
    for (const part of line.length <= columns ? [line] : wrap(line, columns)) {
      this.show([`│ ${part}`], "quiet");
    }
  }

  /** Leaves a line empty. */
  pause(): void {
    this.#line("");
  }

  /** Text in a tone, for a part of a line. */
  paint(tone: Tone, text: string): string {
    return this.#hasColours ? styleText(styles[tone], text, { validateStream: false }) : text;
  }

  #line(text: string): void {
    this.#page.write(`${text}\n`);
  }
}

/** Breaks text at spaces into lines of at most `columns`; a longer word gets a line of its own. */
export function wrap(text: string, columns: number): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(/\s+/).filter((part) => part !== "")) {
    if (line !== "" && line.length + 1 + word.length > columns) {
      lines.push(line);
      line = "";
    }
    line += line === "" ? word : ` ${word}`;
  }
  return line === "" ? lines : [...lines, line];
}
