import type { CommandContext } from "../../command/define-command.ts";
import { parseSize } from "../../command/size.ts";
import type { BitmapAddInput } from "./add-schemas.ts";
import { changeBitmap } from "./change.ts";
import type { BitmapChangeOutput } from "./schemas.ts";

export { identifiers, text } from "./change.ts";

/** Adds a bitmap that marks nothing yet. */
export async function run(
  input: BitmapAddInput,
  context: CommandContext,
): Promise<BitmapChangeOutput> {
  const { name, granularity, disabled = false } = input;
  const options = {
    isEnabled: !disabled,
    ...(granularity === undefined
      ? {}
      : { granularityBytes: parseSize(granularity, "--granularity") }),
  };
  return await changeBitmap(input, context, "added", (image) => image.addBitmap(name, options));
}
