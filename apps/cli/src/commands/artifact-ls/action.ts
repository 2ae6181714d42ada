import type { CommandContext } from "../../command/define-command.ts";
import { visible } from "../../output/visible.ts";
import { openRepository } from "../../registries/open-repository.ts";
import type { ArtifactLsInput, ArtifactLsOutput } from "./schemas.ts";

/** More tags than any repository has; a registry that never ends its list must not fill the memory. */
const maxTags = 250_000;

/** Lists the tags of a repository. */
export async function run(
  { repository: reference }: ArtifactLsInput,
  context: CommandContext,
): Promise<ArtifactLsOutput> {
  await using repository = await openRepository(reference, context);
  const tags: string[] = [];
  for await (const tag of repository.tags()) {
    if (tags.length >= maxTags) throw await tooMany(repository.name);
    tags.push(tag);
  }
  return tags;
}

/** One a line. */
export function text(tags: ArtifactLsOutput): string {
  return tags.map(visible).join("\n");
}

async function tooMany(reference: string): Promise<Error> {
  const { OrasError } = await import("@box/oras");
  return new OrasError({
    code: "OCI_TOO_LARGE",
    message: `cannot list the tags of ${reference}: it has more than ${maxTags}`,
    details: { reference, limit: maxTags },
  });
}
