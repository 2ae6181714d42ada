import { dirname, resolve } from "node:path";
import { createFileDurably, removeDeadTemporaries } from "@box/io/node";
import { formatImageReference, parseImageReference, parsePlatform } from "@box/oci-images";
import { openImages } from "../../boxes/open-images.ts";
import type { CommandContext } from "../../command/define-command.ts";
import { replaceablePlace } from "../../disks/new-file.ts";
import { flatMemory } from "../../host/flat-memory.ts";
import { formatSize } from "../../output/table.ts";
import type { ExportInput, ExportOutput } from "./schemas.ts";

/** Writes an archive; a file appears whole or not at all. */
export async function run(
  input: ExportInput,
  context: CommandContext,
): Promise<ExportOutput | undefined> {
  const { signal } = context;
  const isStream = input.output === "-";
  const file = resolve(context.cwd, input.output);
  const place = isStream ? undefined : await replaceablePlace(file);
  using _memory = flatMemory();
  const store = await openImages(context);
  const name = nameIn(input.ref);
  const progress = await context.progress();
  const chunks = await store.export(input.ref, {
    signal,
    hasTransientChunks: !isStream,
    onProgress: (item, done, total) =>
      progress.event({ type: "progress", task: "export", item, done, total, unit: "bytes" }),
    ...(name === undefined ? {} : { name }),
    ...(input.archiveFormat === undefined ? {} : { format: input.archiveFormat }),
    ...(input.platform === undefined ? {} : { platform: parsePlatform(input.platform) }),
  });
  if (place === undefined) {
    await context.writeBytes(chunks);
    return undefined;
  }
  // What a killed run has left in this folder; what cannot be removed is no reason to fail.
  await removeDeadTemporaries(dirname(place.path)).catch(() => {});
  const sizeBytes = await createFileDurably(
    place.path,
    async (target) => {
      let done = 0;
      for await (const chunk of chunks) {
        await target.write?.(done, chunk);
        done += chunk.byteLength;
      }
      return done;
    },
    { mode: place.mode, signal },
  );
  return { file, sizeBytes };
}

/** One line. */
export function text({ file, sizeBytes }: ExportOutput): string {
  return `${file} (${formatSize(sizeBytes)})`;
}

/** The file. */
export function identifiers({ file }: ExportOutput): readonly string[] {
  return [file];
}

/** An image that came from a layout or an archive, or that is named by a digest, has no name to give away. */
function nameIn(reference: string): string | undefined {
  if (/^sha\d{3}:/.test(reference)) return undefined;
  const parsed = parseImageReference(reference);
  if (parsed.type !== "registry") return undefined;
  const { digest: _digest, ...named } = parsed;
  return named.tag === undefined ? undefined : formatImageReference(named);
}
