import type { CommandContext } from "../../command/define-command.ts";
import { changeBitmap } from "./change.ts";
import type { BitmapChangeInput, BitmapChangeOutput } from "./schemas.ts";

export { identifiers, text } from "./change.ts";

/** Makes the bitmap record writes. */
export function run(
  input: BitmapChangeInput,
  context: CommandContext,
): Promise<BitmapChangeOutput> {
  return changeBitmap(input, context, "enabled", (image) => image.enableBitmap(input.name));
}
