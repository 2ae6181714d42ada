import type { CommandContext } from "../../command/define-command.ts";
import { visible } from "../../output/visible.ts";
import { openRepository } from "../../registries/open-repository.ts";
import type { ArtifactLsInput, ArtifactLsOutput } from "./schemas.ts";

/** Lists the tags of a repository. */
export async function run(
  { repository: reference }: ArtifactLsInput,
  context: CommandContext,
): Promise<ArtifactLsOutput> {
  await using repository = await openRepository(reference, context);
  const tags: string[] = [];
  for await (const tag of repository.tags()) tags.push(tag);
  return tags;
}

/** One a line. */
export function text(tags: ArtifactLsOutput): string {
  return tags.map(visible).join("\n");
}
