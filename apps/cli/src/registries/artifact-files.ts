import { basename, resolve } from "node:path";
import type { ArtifactFile, CopyEvent } from "@box/oras";
import { CliError } from "../errors.ts";
import type { ProgressRenderer } from "../progress/shown-event.ts";

/** Files as they are written on command lines: `PATH` or `PATH:MEDIA/TYPE`. */
export function parseFiles(words: readonly string[], cwd: string): readonly ArtifactFile[] {
  return words.map((word) => {
    const [, path = word, mediaType] = /^(.+):([\w.+-]+\/[\w.+-]+)$/.exec(word) ?? [];
    const isInside = !path.startsWith("/") && !path.split("/").includes("..");
    return {
      path: resolve(cwd, path),
      title: isInside ? path.replace(/^(?:\.\/+)+/, "") : basename(path),
      ...(mediaType === undefined ? {} : { mediaType }),
    };
  });
}

/** `KEY=VALUE` words as annotations. */
export function parseAnnotations(
  words: readonly string[] = [],
): Readonly<Record<string, string>> | undefined {
  if (words.length === 0) return undefined;
  const entries = words.map((word) => {
    const equals = word.indexOf("=");
    if (equals > 0) return [word.slice(0, equals), word.slice(equals + 1)] as const;
    throw new CliError({
      code: "CLI_INVALID_ARGUMENT",
      message: `--annotation: ${JSON.stringify(word)} is not KEY=VALUE`,
    });
  });
  return Object.fromEntries(entries);
}

/** Shows how far each blob is. */
export function showCopies(progress: ProgressRenderer, task: string): (event: CopyEvent) => void {
  return (event) => {
    const { digest: item, size: total } = event.descriptor;
    const done = event.type === "progress" ? event.doneBytes : total;
    progress.event({ type: "progress", task, item, done, total, unit: "bytes" });
  };
}
