import type { CommandContext } from "../../command/define-command.ts";
import { changeBitmap } from "./change.ts";
import type { BitmapChangeInput, BitmapChangeOutput } from "./schemas.ts";

export { identifiers, text } from "./change.ts";

/** Removes the bitmap, whatever its state. */
export function run(
  input: BitmapChangeInput,
  context: CommandContext,
): Promise<BitmapChangeOutput> {
  return changeBitmap(input, context, "removed", (image) => image.removeBitmap(input.name));
}
