import { pack, pushFiles } from "@box/oras";
import type { CommandContext } from "../../command/define-command.ts";
import { formatFields } from "../../output/table.ts";
import { parseAnnotations, parseFiles, showCopies } from "../../registries/artifact-files.ts";
import type {
  ArtifactFilesInput,
  ArtifactFilesOutput,
} from "../../registries/artifact-files-schema.ts";
import { openRepository } from "../../registries/open-repository.ts";

/** Pushes files as one artifact and tags it. */
export async function run(
  { ref, files = [], type, annotation }: ArtifactFilesInput,
  context: CommandContext,
): Promise<ArtifactFilesOutput> {
  const { signal, cwd } = context;
  const annotations = parseAnnotations(annotation);
  await using repository = await openRepository(ref, context, { create: true });
  const { target, selector, name } = repository;
  const onEvent = showCopies(await context.progress(), "push");
  await using lease = await target.keep?.([], { signal });
  const layers = await pushFiles(target, parseFiles(files, cwd), { signal, lease, onEvent });
  const options = annotations === undefined ? {} : { annotations };
  const packed = await pack(target, { artifactType: type, layers, ...options, signal, lease });
  await target.tag(packed, selector, { signal });
  return { reference: name, digest: packed.digest };
}

/** Name and digest. */
export function text({ reference, digest }: ArtifactFilesOutput): string {
  return formatFields([
    ["artifact", reference],
    ["digest", digest],
  ]);
}

/** The digest. */
export function identifiers({ digest }: ArtifactFilesOutput): readonly string[] {
  return [digest];
}
