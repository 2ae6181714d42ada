import { decide, type OverlayAction } from "./decide.ts";
import {
  baseStates,
  diskRoles,
  everyOverlayFacts,
  type OverlayFacts,
  overlayStates,
  recordStates,
} from "./facts.ts";

/** A question of the table: its heading, every answer in order, and how to find it in facts. */
interface Dimension {
  readonly heading: string;
  readonly values: readonly string[];
  readonly of: (facts: OverlayFacts) => string;
}

const dimensions: readonly Dimension[] = [
  { heading: "overlay", values: overlayStates, of: (facts) => facts.overlay },
  { heading: "base", values: baseStates, of: (facts) => facts.base },
  { heading: "record", values: recordStates, of: (facts) => facts.record },
  { heading: "disk", values: diskRoles, of: (facts) => facts.role },
  {
    heading: "`--recreate-disk`",
    values: ["no", "yes"],
    of: (facts) => yesNo(facts.policy.recreateDisk),
  },
  {
    heading: "quarantine",
    values: ["works", "failed"],
    of: (facts) => (facts.quarantineFailed ? "failed" : "works"),
  },
];

/** A line of the table: per dimension the values it stands for, and the one action of all of them. */
interface Line {
  readonly cells: readonly (readonly string[])[];
  readonly action: string;
}

/**
 * Prints the whole table of {@link decide} as Markdown: every combination of facts is decided, and lines that differ
 * in nothing are drawn together. Together the lines stand for each combination exactly once.
 */
export function describeDecisionTable(): string {
  const lines = mergeLines([...everyOverlayFacts()], 0);
  const head = [...dimensions.map((dimension) => dimension.heading), "row", "action"];
  return [
    `| ${head.join(" | ")} |`,
    `|${head.map(() => "---").join("|")}|`,
    ...lines.map((line) => `| ${[...line.cells.map(printCell), line.action].join(" | ")} |`),
    "",
  ].join("\n");
}

/** Splits by one dimension after the other, and draws together the values whose remaining lines are the same. */
function mergeLines(facts: readonly OverlayFacts[], depth: number): readonly Line[] {
  const dimension = dimensions[depth];
  if (dimension === undefined) return [{ cells: [], action: describeAction(facts.map(decide)) }];
  const groups = new Map<string, { values: string[]; lines: readonly Line[] }>();
  for (const value of dimension.values) {
    const lines = mergeLines(
      facts.filter((each) => dimension.of(each) === value),
      depth + 1,
    );
    const key = JSON.stringify(lines);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, { values: [value], lines });
    else group.values.push(value);
  }
  return [...groups.values()].flatMap(({ values, lines }) =>
    lines.map((line) => ({ ...line, cells: [values, ...line.cells] })),
  );
}

function printCell(values: readonly string[], column: number): string {
  return values.length === dimensions[column]?.values.length ? "any" : values.join(", ");
}

function describeAction(actions: readonly OverlayAction[]): string {
  return [...new Set(actions.map(printAction))].join("; ");
}

function printAction(action: OverlayAction): string {
  switch (action.type) {
    case "keep":
      return `${action.row} | keep`;
    case "create":
      return `${action.row} | create${action.again ? " again" : ""}`;
    case "recreate":
      return `${action.row} | quarantine, then create`;
    case "refuse":
      return `${action.row} | refuse \`${action.code}\``;
  }
}

function yesNo(value: boolean): string {
  return value ? "yes" : "no";
}
