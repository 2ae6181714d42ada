import { resolve } from "node:path";
import { createFileDurably } from "@box/io/node";
import { type Image, type ImageStore, parsePlatform } from "@box/oci-images";
import { type BuiltRootfs, buildRootfs, layersOfImage } from "@box/rootfs";
import { userCredentials } from "../../boxes/credentials.ts";
import { openImages, showPullEvent } from "../../boxes/open-images.ts";
import type { CommandContext } from "../../command/define-command.ts";
import { parseSize } from "../../command/size.ts";
import { formatFields, formatSize } from "../../output/table.ts";
import type { RootfsBuildInput, RootfsBuildOutput } from "./schemas.ts";

/** Pulls the image if it must and writes the file system. */
export async function run(
  input: RootfsBuildInput,
  context: CommandContext,
): Promise<RootfsBuildOutput> {
  const sizeBytes = input.size === undefined ? undefined : parseSize(input.size, "--size");
  const file = resolve(context.cwd, input.output);
  const store = await openImages(context);
  const image = await pull(store, input, context);
  const built = await build(store, image, file, sizeBytes, context);
  const { reference, digest } = image;
  return { file, diskFormat: "ext4", reference, digest, ...built };
}

/** One line each. */
export function text({ file, reference, digest, sizeBytes, nodeCount }: RootfsBuildOutput): string {
  return formatFields([
    ["file", file],
    ["image", reference],
    ["digest", digest],
    ["size", formatSize(sizeBytes)],
    ["files", String(nodeCount)],
  ]);
}

/** The file. */
export function identifiers({ file }: RootfsBuildOutput): readonly string[] {
  return [file];
}

async function pull(
  store: ImageStore,
  input: RootfsBuildInput,
  { signal, globals, env, progress }: CommandContext,
): Promise<Image> {
  const renderer = await progress();
  return store.pull(input.ref, {
    policy: input.pull ?? "missing",
    insecureHosts: globals.insecureHosts,
    credentials: userCredentials(env),
    signal,
    ...(input.platform === undefined ? {} : { platform: parsePlatform(input.platform) }),
    onEvent: (event) => renderer.event(showPullEvent(event, input.ref)),
  });
}

async function build(
  store: ImageStore,
  image: Image,
  path: string,
  sizeBytes: number | undefined,
  { signal, progress }: CommandContext,
): Promise<BuiltRootfs> {
  const renderer = await progress();
  const layers = layersOfImage(store, image);
  const recipe = { layers, ...(sizeBytes === undefined ? {} : { options: { sizeBytes } }) };
  return createFileDurably(
    path,
    (target) =>
      buildRootfs(recipe, target, {
        signal,
        onWarning: ({ code, message, diffId }) =>
          renderer.event({
            type: "warning",
            task: "build",
            code,
            message,
            item: diffId ?? "image",
          }),
        onProgress: ({ stage, done, total }) =>
          renderer.event({
            type: "progress",
            task: "build",
            item: stage,
            done,
            total,
            unit: stage === "merge" ? "layers" : "bytes",
          }),
      }),
    { signal, mode: 0o644 },
  );
}
