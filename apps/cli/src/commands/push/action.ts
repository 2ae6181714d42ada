import { parsePlatform } from "@box/oci-images";
import { userCredentials } from "../../boxes/credentials.ts";
import { openImages, showPullEvent } from "../../boxes/open-images.ts";
import type { CommandContext } from "../../command/define-command.ts";
import { flatMemory } from "../../host/flat-memory.ts";
import { formatFields } from "../../output/table.ts";
import type { PushInput, PushOutput } from "./schemas.ts";

/** Sends an image of this home. */
export async function run(
  { ref, destination = ref, platform }: PushInput,
  context: CommandContext,
): Promise<PushOutput> {
  const wanted = platform === undefined ? {} : { platform: parsePlatform(platform) };
  using _memory = flatMemory();
  const store = await openImages(context);
  const progress = await context.progress();
  // Awaited here: memory is kept flat only as long as this function runs.
  return await store.push(ref, destination, {
    insecureHosts: context.globals.insecureHosts,
    credentials: userCredentials(context.env),
    signal: context.signal,
    ...wanted,
    onEvent: (event) => progress.event(showPullEvent(event, destination, "push")),
  });
}

/** Name and digest. */
export function text({ reference, digest }: PushOutput): string {
  return formatFields([
    ["image", reference],
    ["digest", digest],
  ]);
}

/** The digest. */
export function identifiers({ digest }: PushOutput): readonly string[] {
  return [digest];
}
