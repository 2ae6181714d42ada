import { exitCodeOf } from "@box/errors";
import { ImageError } from "@box/oci-images";
import { openRuntime } from "../../boxes/open-runtime.ts";
import type { CommandContext } from "../../command/define-command.ts";
import { formatSize } from "../../output/table.ts";
import type { RmiInput, RmiOutput } from "./schemas.ts";

/** Takes names away, then the content that no name and no box leads to. */
export async function run(
  { refs, force = false }: RmiInput,
  context: CommandContext,
): Promise<RmiOutput> {
  const { signal } = context;
  await using runtime = await openRuntime(context);
  const store = await runtime.imageStore();
  const removed: string[] = [];
  const failed: string[] = [];
  let firstExitCode = 0;
  for (const reference of new Set(refs)) {
    if (await store.remove(reference, { signal })) removed.push(reference);
    else if (!force) {
      const error = notFound(reference);
      failed.push(reference);
      firstExitCode ||= exitCodeOf(error);
      await context.reportError(error);
    }
  }
  // What pulls and imports need that run at the same time stays by their leases.
  const { freedBytes } = await runtime.storage.collectImages({ graceMs: 0, signal });
  return { removed, failed, freedBytes, exitCode: firstExitCode };
}

/** The names, and what that brought. */
export function text({ removed, freedBytes }: RmiOutput): string {
  if (removed.length === 0) return "";
  return [...removed, `freed ${formatSize(freedBytes)}`].join("\n");
}

/** The names. */
export function identifiers({ removed }: RmiOutput): readonly string[] {
  return removed;
}

/** That of the first name that was not there. */
export function exitCode(output: RmiOutput): number {
  return output.exitCode;
}

function notFound(reference: string): ImageError {
  return new ImageError({
    code: "OCI_IMAGE_NOT_FOUND",
    message: `cannot remove image ${reference}: it is not in the store`,
    details: { reference },
    hint: "see which there are: box images",
  });
}
