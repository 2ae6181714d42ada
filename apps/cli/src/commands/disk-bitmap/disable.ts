import type { CommandContext } from "../../command/define-command.ts";
import { changeBitmap } from "./change.ts";
import type { BitmapChangeInput, BitmapChangeOutput } from "./schemas.ts";

export { identifiers, text } from "./change.ts";

/** Makes the bitmap stay as it is. */
export function run(
  input: BitmapChangeInput,
  context: CommandContext,
): Promise<BitmapChangeOutput> {
  return changeBitmap(input, context, "disabled", (image) => image.disableBitmap(input.name));
}
