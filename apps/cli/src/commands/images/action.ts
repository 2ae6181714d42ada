import { listImages } from "../../boxes/list-images.ts";
import type { CommandContext } from "../../command/define-command.ts";
import { formatTable } from "../../output/table.ts";
import type { ImagesOutput } from "./schemas.ts";

/** Reads the store's index. */
export async function run(_input: object, context: CommandContext): Promise<ImagesOutput> {
  const entries = await listImages(context);
  return entries.map(({ reference, descriptor: { digest, mediaType } }) => ({
    ...(reference === undefined ? {} : { reference }),
    digest,
    mediaType,
  }));
}

/** A table. */
export function text(images: ImagesOutput): string {
  return formatTable(
    ["IMAGE", "DIGEST"],
    images.map(({ reference, digest }) => [reference ?? "-", digest]),
  );
}

/** The digests. */
export function identifiers(images: ImagesOutput): readonly string[] {
  return images.map(({ digest }) => digest);
}
