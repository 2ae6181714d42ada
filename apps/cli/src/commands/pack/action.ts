import { resolve } from "node:path";
import { followedBy, openRuntime } from "../../boxes/open-runtime.ts";
import type { CommandContext } from "../../command/define-command.ts";
import { formatSize } from "../../output/table.ts";
import type { PackInput, PackOutput } from "./schemas.ts";

/** Writes the archive; it appears whole or not at all. */
export async function run(
  { name, output = `${name}.box.tar`, withoutBases = false }: PackInput,
  context: CommandContext,
): Promise<PackOutput> {
  await using runtime = await openRuntime(context);
  const { box, operation, archive } = await runtime.boxes.export(
    name,
    resolve(context.cwd, output),
    { withBases: !withoutBases, ...(await followedBy(context)) },
  );
  return { name: box.name, operation, ...archive };
}

/** The archive and its size. */
export function text({ path, sizeBytes }: PackOutput): string {
  return `${path} (${formatSize(sizeBytes)})`;
}

/** The archive. */
export function identifiers({ path }: PackOutput): readonly string[] {
  return [path];
}
