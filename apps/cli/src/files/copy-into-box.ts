import { lstat, stat } from "node:fs/promises";
import { basename, posix, resolve } from "node:path";
import { errnoOf, toIoError } from "@box/io/node";
import { type FileEvent, type Runtime, tarToFiles } from "@box/runtime";
import type { CommandContext } from "../command/define-command.ts";
import { CliError } from "../errors.ts";
import { type CopyEnd, type FoundAtTarget, placeOf } from "./copy-ends.ts";
import { placeFiles } from "./place-files.ts";
import { readHostFiles } from "./read-host-files.ts";

/** How files are copied. */
export interface CopyOptions {
  /** Whether they keep their owners. */
  readonly keepsOwners: boolean;
  /** Whether a link that is copied is followed. */
  readonly follows: boolean;
}

type BoxEnd = Extract<CopyEnd, { readonly type: "box" }>;
type HostEnd = Extract<CopyEnd, { readonly type: "host" }>;

/** Copies files of this host, or what an archive on the standard input holds, into a box. */
export async function copyIntoBox(
  runtime: Runtime,
  source: CopyEnd,
  target: BoxEnd,
  options: CopyOptions,
  context: CommandContext,
): Promise<void> {
  const { boxes } = runtime;
  const { signal } = context;
  const write = (folder: string, files: AsyncIterable<FileEvent>) =>
    boxes.writeFiles(target.box, folder, files, { keepsOwners: options.keepsOwners, signal });
  if (source.type !== "host") {
    const isFolder = async (path: Uint8Array) => {
      const at = posix.join(target.path, Buffer.from(path).toString());
      return (await boxes.lookAt(target.box, at, { signal }))?.kind === "directory";
    };
    await write(target.path, tarToFiles(context.stdin(), { isFolder }));
    return;
  }
  const path = resolve(context.cwd, source.path);
  const kind = await kindOfHost(path, source, options);
  const found = await foundInBox(runtime, target, signal);
  const place = placeOf(
    { name: basename(path) || "root", isFolder: kind === "folder", shape: source.shape },
    { ...target, found },
  );
  const progress = await context.progress();
  const follows = options.follows || source.shape.isFolder || source.shape.isContent;
  const files = readHostFiles(path, Buffer.from("top"), {
    follows,
    signal,
    onLeftOut: (at) => progress.print(`left out, being no file, folder or link: ${at}`),
  });
  const name = place.name === undefined ? undefined : Buffer.from(place.name);
  await write(place.folder, placeFiles(files, name));
}

async function foundInBox(
  { boxes }: Runtime,
  { box, path }: BoxEnd,
  signal: AbortSignal,
): Promise<FoundAtTarget> {
  const found = await boxes.lookAt(box, path, { follows: true, signal });
  if (found === undefined) return "missing";
  return found.kind === "directory" ? "folder" : "file";
}

async function kindOfHost(
  path: string,
  { shape }: HostEnd,
  { follows }: CopyOptions,
): Promise<"folder" | "file"> {
  try {
    const look = follows || shape.isFolder || shape.isContent ? stat : lstat;
    const found = await look(path);
    if (found.isDirectory()) return "folder";
    if (found.isFile() || found.isSymbolicLink()) return "file";
  } catch (error) {
    if (errnoOf(error) === "ENOENT") throw noSuchPath(path);
    throw toIoError(error, { action: "cannot look at", path });
  }
  throw new CliError({
    code: "CLI_UNSUPPORTED",
    message: `${path} is neither a file nor a folder nor a link`,
    details: { path },
    hint: "name a file, a folder or a link",
  });
}

/** What is to be copied, or where to, is not there. */
export function noSuchPath(path: string): CliError {
  return new CliError({
    code: "CLI_NO_SUCH_PATH",
    message: `there is no ${path}`,
    details: { path },
    hint: "name a path that is there; a folder that is copied into has to be made first",
  });
}
