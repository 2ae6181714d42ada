import { listBoxes } from "../../boxes/list-boxes.ts";
import type { CommandContext } from "../../command/define-command.ts";
import { formatTable } from "../../output/table.ts";
import type { LsOutput } from "./schemas.ts";

/** Reads the boxes. */
export async function run(_input: object, context: CommandContext): Promise<LsOutput> {
  return listBoxes(context);
}

/** A table. */
export function text(boxes: LsOutput): string {
  return formatTable(
    ["NAME", "STATE", "IMAGE", "CREATED"],
    boxes.map(({ name, state, image, createdAt }) => [name, state, image.reference, createdAt]),
  );
}

/** The names. */
export function identifiers(boxes: LsOutput): readonly string[] {
  return boxes.map(({ name }) => name);
}
