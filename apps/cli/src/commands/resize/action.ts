import { followedBy, openRuntime } from "../../boxes/open-runtime.ts";
import type { CommandContext } from "../../command/define-command.ts";
import { parseSize } from "../../command/size.ts";
import { formatFields, formatSize } from "../../output/table.ts";
import type { ResizeInput, ResizeOutput } from "./schemas.ts";

/** Grows the disk. */
export async function run(
  { name, size }: ResizeInput,
  context: CommandContext,
): Promise<ResizeOutput> {
  const sizeBytes = parseSize(size, "SIZE");
  await using runtime = await openRuntime(context);
  const { box, operation, oldSizeBytes, virtualSizeBytes } = await runtime.boxes.resize(
    name,
    sizeBytes,
    await followedBy(context),
  );
  return { name: box.name, operation, oldSizeBytes, virtualSizeBytes };
}

/** One line each. */
export function text({ name, oldSizeBytes, virtualSizeBytes }: ResizeOutput): string {
  return formatFields([
    ["name", name],
    ["size before", formatSize(oldSizeBytes)],
    ["disk size", `${formatSize(virtualSizeBytes)} (${virtualSizeBytes} bytes)`],
  ]);
}

/** The box's name. */
export function identifiers({ name }: ResizeOutput): readonly string[] {
  return [name];
}
