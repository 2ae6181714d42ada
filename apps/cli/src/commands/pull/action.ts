import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { formatPlatform, type Image, parsePlatform, parseVerificationKey } from "@box/oci-images";
import { userCredentials } from "../../boxes/credentials.ts";
import { openImages, showPullEvent } from "../../boxes/open-images.ts";
import type { CommandContext } from "../../command/define-command.ts";
import { CliError } from "../../errors.ts";
import { flatMemory } from "../../host/flat-memory.ts";
import { formatSize, formatTable } from "../../output/table.ts";
import type { PulledImage, PullInput, PullOutput } from "./schemas.ts";

/** Fetches one image after the other; what a tag names now is always asked. */
export async function run(
  { refs, platform, verifyKey }: PullInput,
  context: CommandContext,
): Promise<PullOutput> {
  const wanted = platform === undefined ? undefined : parsePlatform(platform);
  const verificationKey =
    verifyKey === undefined ? undefined : parseVerificationKey(await readKey(verifyKey, context));
  using _memory = flatMemory();
  const store = await openImages(context);
  const progress = await context.progress();
  const pulled: PulledImage[] = [];
  for (const reference of refs) {
    const image = await store.pull(reference, {
      policy: "always",
      insecureHosts: context.globals.insecureHosts,
      credentials: userCredentials(context.env),
      signal: context.signal,
      ...(wanted === undefined ? {} : { platform: wanted }),
      ...(verificationKey === undefined ? {} : { verificationKey }),
      onEvent: (event) => progress.event(showPullEvent(event, reference)),
    });
    pulled.push(describeImage(image));
  }
  return pulled;
}

async function readKey(path: string, { cwd }: CommandContext): Promise<string> {
  try {
    return await readFile(resolve(cwd, path), "utf8");
  } catch (cause) {
    throw new CliError({
      code: "CLI_INVALID_ARGUMENT",
      message: `--verify-key: cannot read ${path}`,
      cause,
    });
  }
}

/** An image of the store as commands print it. */
export function describeImage(image: Image): PulledImage {
  return {
    reference: image.reference,
    digest: image.digest,
    platform: formatPlatform(image.platform),
    layers: image.layers.length,
    sizeBytes: image.layers.reduce((sum, { descriptor }) => sum + descriptor.size, 0),
  };
}

/** A table. */
export function text(images: PullOutput): string {
  return formatTable(
    ["IMAGE", "DIGEST", "PLATFORM", "SIZE"],
    images.map(({ reference, digest, platform, sizeBytes }) => [
      reference,
      digest,
      platform,
      formatSize(sizeBytes),
    ]),
  );
}

/** The digests. */
export function identifiers(images: PullOutput): readonly string[] {
  return images.map(({ digest }) => digest);
}
