import { resolve } from "node:path";
import { pullFiles } from "@box/oras";
import type { CommandContext } from "../../command/define-command.ts";
import { formatSize, formatTable } from "../../output/table.ts";
import { showCopies } from "../../registries/artifact-files.ts";
import { openRepository } from "../../registries/open-repository.ts";
import type { ArtifactPullInput, ArtifactPullOutput } from "./schemas.ts";

/** Writes the named files of an artifact. */
export async function run(
  { ref, output = ".", overwrite = false }: ArtifactPullInput,
  context: CommandContext,
): Promise<ArtifactPullOutput> {
  const { signal, cwd } = context;
  await using repository = await openRepository(ref, context);
  const onEvent = showCopies(await context.progress(), "pull");
  const { target, selector } = repository;
  const options = { signal, onEvent, overwrite };
  const files = await pullFiles(target, selector, resolve(cwd, output), options);
  return files.map(({ path, descriptor: { mediaType, digest, size } }) => ({
    file: path,
    mediaType,
    digest,
    sizeBytes: size,
  }));
}

/** A table. */
export function text(files: ArtifactPullOutput): string {
  return formatTable(
    ["FILE", "TYPE", "SIZE"],
    files.map(({ file, mediaType, sizeBytes }) => [file, mediaType, formatSize(sizeBytes)]),
  );
}

/** The files. */
export function identifiers(files: ArtifactPullOutput): readonly string[] {
  return files.map(({ file }) => file);
}
