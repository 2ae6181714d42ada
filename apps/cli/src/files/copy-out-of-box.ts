import { stat } from "node:fs/promises";
import { posix, resolve } from "node:path";
import { errnoOf, toIoError } from "@box/io/node";
import { type FileEvent, filesToTar, type Runtime } from "@box/runtime";
import type { CommandContext } from "../command/define-command.ts";
import { type CopyEnd, type FoundAtTarget, placeOf } from "./copy-ends.ts";
import { type CopyOptions, noSuchPath } from "./copy-into-box.ts";
import { placeFiles } from "./place-files.ts";
import { type CopyLimits, writeHostFiles } from "./write-host-files.ts";

/** How much comes out of a box unless `--limit` says otherwise. */
const usualLimits: CopyLimits = { maxEntries: 1_000_000, maxBytes: 64 * 2 ** 30 };

/** Copies files of a box to this host, or as an archive to the standard output. */
export async function copyOutOfBox(
  { boxes }: Runtime,
  source: Extract<CopyEnd, { readonly type: "box" }>,
  target: CopyEnd,
  options: CopyOptions,
  context: CommandContext,
): Promise<void> {
  const { signal } = context;
  const { box, shape } = source;
  const follows = options.follows || shape.isFolder || shape.isContent;
  const read = () => boxes.readFiles(box, source.path, { follows, signal });
  if (target.type !== "host") {
    await context.writeBytes(filesToTar(await read()));
    return;
  }
  const found = await boxes.lookAt(box, source.path, { follows, signal });
  if (found === undefined) throw noSuchPath(`${box}:${source.path}`);
  const path = resolve(context.cwd, target.path);
  const isFolder = found.kind === "directory";
  const place = placeOf(
    { name: posix.basename(source.path) || "root", isFolder, shape },
    { path, shape: target.shape, found: await foundOnHost(path) },
  );
  if ((await foundOnHost(place.folder)) !== "folder") throw noSuchPath(place.folder);
  const name = place.name === undefined ? undefined : Buffer.from(place.name);
  const files: AsyncIterable<FileEvent> = placeFiles(await read(), name);
  const limits = { ...usualLimits, ...context.limits.copies };
  await writeHostFiles(place.folder, files, { ...options, limits, signal });
}

async function foundOnHost(path: string): Promise<FoundAtTarget> {
  try {
    return (await stat(path)).isDirectory() ? "folder" : "file";
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return "missing";
    throw toIoError(error, { action: "cannot look at", path });
  }
}
