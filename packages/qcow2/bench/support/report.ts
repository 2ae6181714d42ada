import type { Pair, Sample } from "./measure.ts";

/** What a job must reach. */
export interface Target {
  /** In words. */
  readonly text: string;
  /** Whether it is met. */
  readonly isMet: boolean;
}

/** A target for the median time by the clock, as a multiple of the rival's. */
export function atMost(factor: number, { ours, theirs }: Pair): Target {
  return { text: `wall <= ${factor}x`, isMet: ours.wall <= theirs.wall * factor };
}

const columns = [26, 15, 15, 13, 22, 22] as const;

/** Says what the table holds and on what. */
export function printHead(input: string, rival: string): void {
  print(`input: ${input}`);
  print(
    `rival: ${rival}, as a whole process; ours in this process; medians, and the fastest round`,
  );
  printRow("job", "ours", "rival", "ratio", "fastest", "target");
  printRow(
    "",
    "wall s / CPU s",
    "wall s / CPU s",
    "wall / CPU",
    "ours / rival: ratio",
    "of the medians",
  );
}

/** One job and its rival. */
export function printPair(name: string, pair: Pair, target?: Target, note = ""): void {
  const { ours, theirs } = pair;
  const ratio = `${(ours.wall / theirs.wall).toFixed(2)} / ${(ours.cpu / theirs.cpu).toFixed(2)}`;
  printRow(name, times(ours), times(theirs), ratio, fastestOf(pair), verdict(target), note);
}

/** One job that has no rival for what it is judged by. */
export function printFigure(name: string, ours: string, target?: Target, note = ""): void {
  printRow(name, ours, "", "", "", verdict(target), note);
}

/** A line of text. */
export function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

function printRow(...cells: string[]): void {
  print(
    cells
      .map((cell, index) => cell.padEnd(columns[index] ?? 0))
      .join("  ")
      .trimEnd(),
  );
}

function times({ wall, cpu }: Sample): string {
  const digits = wall < 0.1 ? 4 : 2;
  return `${wall.toFixed(digits)} / ${cpu.toFixed(digits)}`;
}

function fastestOf({ fastest: { ours, theirs } }: Pair): string {
  const digits = ours < 0.1 ? 4 : 2;
  return `${ours.toFixed(digits)} / ${theirs.toFixed(digits)}: ${(ours / theirs).toFixed(2)}`;
}

function verdict(target: Target | undefined): string {
  return target === undefined ? "" : `${target.text}: ${target.isMet ? "met" : "MISSED"}`;
}
