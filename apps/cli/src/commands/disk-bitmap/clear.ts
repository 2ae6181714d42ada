import type { CommandContext } from "../../command/define-command.ts";
import { changeBitmap } from "./change.ts";
import type { BitmapChangeInput, BitmapChangeOutput } from "./schemas.ts";

export { identifiers, text } from "./change.ts";

/** Makes the bitmap mark nothing. */
export function run(
  input: BitmapChangeInput,
  context: CommandContext,
): Promise<BitmapChangeOutput> {
  return changeBitmap(input, context, "cleared", (image) => image.clearBitmap(input.name));
}
