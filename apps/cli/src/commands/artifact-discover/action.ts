import { discover, type Referrer } from "@box/oras";
import type { CommandContext } from "../../command/define-command.ts";
import { formatTable } from "../../output/table.ts";
import { openRepository } from "../../registries/open-repository.ts";
import type { ArtifactDiscoverInput, ArtifactDiscoverOutput, AttachedArtifact } from "./schemas.ts";

/** Finds what is attached to something, and to that, and so on. */
export async function run(
  { ref, type }: ArtifactDiscoverInput,
  context: CommandContext,
): Promise<ArtifactDiscoverOutput> {
  const { signal } = context;
  await using repository = await openRepository(ref, context);
  const { target, selector } = repository;
  const subject = await target.resolve(selector, { signal });
  const found = await discover(target, subject, { signal });
  const wanted = found.filter(
    ({ descriptor }) => type === undefined || descriptor.artifactType === type,
  );
  return flatten(wanted, subject.digest, 1);
}

/** A table; what is attached to an artifact is below it, further in. */
export function text(artifacts: ArtifactDiscoverOutput): string {
  return formatTable(
    ["TYPE", "DIGEST"],
    artifacts.map(({ artifactType, digest, level }) => [
      `${"  ".repeat(level - 1)}${artifactType ?? "-"}`,
      digest,
    ]),
  );
}

/** The digests. */
export function identifiers(artifacts: ArtifactDiscoverOutput): readonly string[] {
  return artifacts.map(({ digest }) => digest);
}

function flatten(
  referrers: readonly Referrer[],
  subject: string,
  level: number,
): readonly AttachedArtifact[] {
  return referrers.flatMap(({ descriptor: { digest, artifactType }, referrers: below }) => [
    { digest, ...(artifactType === undefined ? {} : { artifactType }), subject, level },
    ...flatten(below, digest, level + 1),
  ]);
}
