import { dirname, resolve } from "node:path";
import type { RandomAccess } from "@box/io";
import { createFileDurably, removeDeadTemporaries } from "@box/io/node";
import { type Image, type ImageStore, parsePlatform } from "@box/oci-images";
import { createImage, openImage } from "@box/qcow2";
import {
  type BuildRootfsOptions,
  type BuiltRootfs,
  buildRootfs,
  layersOfImage,
  type RootfsRecipe,
} from "@box/rootfs";
import { type WholeImageOptions, withWholeImage } from "@box/runtime";
import { userCredentials } from "../../boxes/credentials.ts";
import { openImages, showPullEvent } from "../../boxes/open-images.ts";
import type { CommandContext } from "../../command/define-command.ts";
import { parseSize } from "../../command/size.ts";
import { type Place, replaceablePlace } from "../../disks/new-file.ts";
import { CliError } from "../../errors.ts";
import { formatFields, formatSize } from "../../output/table.ts";
import type { ProgressRenderer } from "../../progress/shown-event.ts";
import { readInjectedFiles } from "../../rootfs/injected-files.ts";
import type { RootfsBuildInput, RootfsBuildOutput } from "./schemas.ts";

/** Pulls the image if it must and writes the file system. */
export async function run(
  input: RootfsBuildInput,
  context: CommandContext,
): Promise<RootfsBuildOutput> {
  const { diskFormat = "ext4", size, inject = [] } = input;
  const sizeBytes =
    size === undefined ? undefined : roundUp(parseSize(size, "--size"), ext4BlockBytes);
  if (input.output === "-") throw noStream();
  const file = resolve(context.cwd, input.output);
  const place = await replaceablePlace(file);
  const injected = await readInjectedFiles(inject, context.cwd);
  const store = await openImages(context);
  const renderer = await context.progress();
  const source: WholeImageOptions = {
    reference: input.ref,
    pull: () => pull(store, input, context, renderer),
    isFetchable: input.pull !== "never",
    reporter: {
      signal: context.signal,
      warn: ({ message, ...of }) =>
        renderer.event({ ...of, type: "warning", task: "pull", message, item: input.ref }),
    },
  };
  return withWholeImage(store, source, async (image) => {
    const recipe: RootfsRecipe = {
      layers: layersOfImage(store, image),
      inject: injected,
      ...(sizeBytes === undefined ? {} : { options: { sizeBytes } }),
    };
    const built = await build(recipe, place, diskFormat, context, renderer);
    const { reference, digest } = image;
    return { file, diskFormat, reference, digest, ...built };
  });
}

const ext4BlockBytes = 4096;

function roundUp(bytes: number, step: number): number {
  return Math.ceil(bytes / step) * step;
}

function noStream(): CliError {
  return new CliError({
    code: "CLI_INVALID_ARGUMENT",
    message: "--output: a disk is not written in order, so it cannot go to standard output",
    hint: "name a file; one that is called - is ./-",
  });
}

/** One line each. */
export function text(output: RootfsBuildOutput): string {
  const { file, diskFormat, reference, digest, sizeBytes, nodeCount } = output;
  return formatFields([
    ["file", file],
    ["format", diskFormat],
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
  { signal, globals, env }: CommandContext,
  renderer: ProgressRenderer,
): Promise<Image> {
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
  recipe: RootfsRecipe,
  { path, mode }: Place,
  format: "ext4" | "qcow2",
  { signal }: CommandContext,
  renderer: ProgressRenderer,
): Promise<BuiltRootfs> {
  const options: BuildRootfsOptions = {
    signal,
    scratch: { directory: dirname(path) },
    onWarning: ({ code, message, diffId }) =>
      renderer.event({ type: "warning", task: "build", code, message, item: diffId ?? "image" }),
    onProgress: ({ stage, done, total }) => {
      const unit = stage === "merge" ? "layers" : "bytes";
      renderer.event({ type: "progress", task: "build", item: stage, done, total, unit });
    },
  };
  // A run that was killed may have left gigabytes here.
  await removeDeadTemporaries(dirname(path)).catch(() => {});
  return createFileDurably(
    path,
    async (target) => {
      if (format === "ext4") return await buildRootfs(recipe, target, options);
      return await buildQcow2(recipe, target, options);
    },
    // Nothing else goes on in this process that thousands of small writes could hold up.
    { signal, mode, direct: true, blocking: true },
  );
}

/** The disk is made when its size is known, and then written like any other. */
async function buildQcow2(
  recipe: RootfsRecipe,
  target: RandomAccess,
  options: BuildRootfsOptions,
): Promise<BuiltRootfs> {
  await using opened = new AsyncDisposableStack();
  const makeDisk = async (virtualSizeBytes: number) => {
    await createImage(target, { virtualSizeBytes });
    return opened.use(await openImage(target, { mode: "rw" }));
  };
  return await buildRootfs(recipe, makeDisk, options);
}
