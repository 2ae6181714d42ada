import { formatLabels, parseLabelFilter } from "../../boxes/labels.ts";
import { listBoxes } from "../../boxes/list-boxes.ts";
import type { CommandContext } from "../../command/define-command.ts";
import { formatTable } from "../../output/table.ts";
import type { LsInput, LsOutput } from "./schemas.ts";

/** Reads the boxes. */
export async function run({ filter = [] }: LsInput, context: CommandContext): Promise<LsOutput> {
  return listBoxes(context, { labels: filter.map(parseLabelFilter) });
}

/** A table, with a column of labels when a box has any. */
export function text(boxes: LsOutput): string {
  const labels = boxes.map((box) => formatLabels(box.labels));
  const hasLabels = labels.some((text) => text !== "");
  return formatTable(
    ["NAME", "STATE", "IMAGE", "CREATED", ...(hasLabels ? ["LABELS"] : [])],
    boxes.map(({ name, state, image, createdAt }, index) => [
      name,
      state,
      image.reference,
      createdAt,
      ...(hasLabels ? [labels[index] ?? ""] : []),
    ]),
  );
}

/** The names. */
export function identifiers(boxes: LsOutput): readonly string[] {
  return boxes.map(({ name }) => name);
}
