import type { CommandContext } from "../../command/define-command.ts";
import { changeBitmap } from "./change.ts";
import type { BitmapMergeInput } from "./merge-schemas.ts";
import type { BitmapChangeOutput } from "./schemas.ts";

export { identifiers, text } from "./change.ts";

/** Adds to the bitmap what the other one marks. */
export function run(input: BitmapMergeInput, context: CommandContext): Promise<BitmapChangeOutput> {
  const { name, source } = input;
  return changeBitmap(input, context, "merged", (image) => image.mergeBitmap(name, source));
}
