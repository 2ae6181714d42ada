import { formatImageReference, parseImageReference } from "@box/oci-images";
import { openImages } from "../../boxes/open-images.ts";
import type { CommandContext } from "../../command/define-command.ts";
import { CliError } from "../../errors.ts";
import type { TagInput, TagOutput } from "./schemas.ts";

/** Gives an image one more name. A name that is in use moves. */
export async function run({ ref, name }: TagInput, context: CommandContext): Promise<TagOutput> {
  const parsed = parseImageReference(name);
  if (parsed.type !== "registry" || parsed.digest !== undefined) {
    throw new CliError({
      code: "CLI_INVALID_ARGUMENT",
      message: `box tag: NAME: ${JSON.stringify(name)} is not a name with a tag`,
      hint: "write it like example.com/team/app:v1",
    });
  }
  const reference = formatImageReference(parsed);
  const store = await openImages(context);
  await store.tag(ref, reference, { signal: context.signal });
  return { reference };
}

/** The full name. */
export function text({ reference }: TagOutput): string {
  return reference;
}
