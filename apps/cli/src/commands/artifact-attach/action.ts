import { attach, pushFiles } from "@box/oras";
import type { CommandContext } from "../../command/define-command.ts";
import { formatFields } from "../../output/table.ts";
import { parseAnnotations, parseFiles, showCopies } from "../../registries/artifact-files.ts";
import type {
  ArtifactFilesInput,
  ArtifactFilesOutput,
} from "../../registries/artifact-files-schema.ts";
import { openRepository } from "../../registries/open-repository.ts";

/** Pushes files as an artifact about what is there already. */
export async function run(
  { ref, files = [], type, annotation }: ArtifactFilesInput,
  context: CommandContext,
): Promise<ArtifactFilesOutput> {
  const { signal, cwd } = context;
  const annotations = parseAnnotations(annotation);
  await using repository = await openRepository(ref, context);
  const { target, selector, name } = repository;
  const subject = await target.resolve(selector, { signal });
  const onEvent = showCopies(await context.progress(), "push");
  await using lease = await target.keep?.([subject], { signal });
  const layers = await pushFiles(target, parseFiles(files, cwd), { signal, lease, onEvent });
  const options = annotations === undefined ? {} : { annotations };
  const { digest } = await attach(target, subject, {
    artifactType: type,
    layers,
    ...options,
    signal,
    lease,
  });
  return { reference: name, digest };
}

/** What it is about, and its digest. */
export function text({ reference, digest }: ArtifactFilesOutput): string {
  return formatFields([
    ["attached to", reference],
    ["digest", digest],
  ]);
}

/** The digest. */
export function identifiers({ digest }: ArtifactFilesOutput): readonly string[] {
  return [digest];
}
