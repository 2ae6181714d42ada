import { stat } from "node:fs/promises";
import { resolve } from "node:path";
import { type ArchiveInput, parsePlatform } from "@box/oci-images";
import { OciLayout } from "@box/oras";
import { openImages, showPullEvent } from "../../boxes/open-images.ts";
import type { CommandContext } from "../../command/define-command.ts";
import { flatMemory } from "../../host/flat-memory.ts";
import { describeImage } from "../pull/action.ts";
import type { PullOutput } from "../pull/schemas.ts";
import type { ImportInput } from "./schemas.ts";

export { identifiers, text } from "../pull/action.ts";

/** Brings every image of an archive or layout into the home. */
export async function run(
  { file, tag, platform }: ImportInput,
  context: CommandContext,
): Promise<PullOutput> {
  const wanted = platform === undefined ? {} : { platform: parsePlatform(platform) };
  const input = await openInput(file, context);
  using _memory = flatMemory();
  const store = await openImages(context);
  const progress = await context.progress();
  const images = await store.import(input, {
    signal: context.signal,
    ...(tag === undefined ? {} : { name: tag }),
    ...wanted,
    onEvent: (event) => progress.event(showPullEvent(event, file, "import")),
  });
  return images.map(describeImage);
}

async function openInput(
  file: string,
  { cwd, stdin, limits }: CommandContext,
): Promise<ArchiveInput | OciLayout> {
  if (file === "-") return { chunks: stdin(), what: "standard input" };
  const path = resolve(cwd, file);
  const isFolder = await stat(path).then(
    (facts) => facts.isDirectory(),
    () => false,
  );
  return isFolder ? OciLayout.open(path, { limits: limits.images }) : path;
}
