import type { Ext4Reader } from "@box/ext4";
import type { CommandContext } from "../../command/define-command.ts";
import { visible } from "../../output/visible.ts";
import { findPath, parsePath } from "../../rootfs/image-path.ts";
import { withRootfs } from "../../rootfs/open-rootfs.ts";
import { type RootfsEntry, toRootfsEntry } from "../../rootfs/rootfs-entry.ts";
import type { RootfsLsInput } from "./schemas.ts";

/** Lists a folder, or the one file that the path names. */
export async function run(
  input: RootfsLsInput,
  context: CommandContext,
): Promise<readonly RootfsEntry[]> {
  return withRootfs(input.file, input, context, (reader) => list(reader, input, context.signal));
}

/** One line each, much as `ls -l` prints it. */
export function text(entries: readonly RootfsEntry[]): string {
  const owners = entries.map(({ uid, gid }) => `${uid}:${gid}`);
  const sizes = entries.map(({ device, sizeBytes }) => device ?? String(sizeBytes));
  const width = (cells: readonly string[]) =>
    cells.reduce((widest, cell) => Math.max(widest, cell.length), 0);
  const [ownerWidth, sizeWidth] = [width(owners), width(sizes)];
  return entries
    .map(({ type, mode, mtime, path, target }, index) => {
      const owner = (owners[index] ?? "").padEnd(ownerWidth);
      const size = (sizes[index] ?? "").padStart(sizeWidth);
      const name = visible(target === undefined ? path : `${path} -> ${target}`);
      return `${typeLetters[type]}${mode}  ${owner}  ${size}  ${mtime.slice(0, 19)}Z  ${name}`;
    })
    .join("\n");
}

/** The paths. */
export function identifiers(entries: readonly RootfsEntry[]): readonly string[] {
  return entries.map(({ path }) => visible(path));
}

const typeLetters: Readonly<Record<RootfsEntry["type"], string>> = {
  file: "-",
  directory: "d",
  symlink: "l",
  char: "c",
  block: "b",
  fifo: "p",
  socket: "s",
};

async function list(
  reader: Ext4Reader,
  { path = "/", recursive = false }: RootfsLsInput,
  signal: AbortSignal,
): Promise<RootfsEntry[]> {
  const found = await findPath(reader, path, { followsLast: path.endsWith("/") });
  const folder = Buffer.from(parsePath(path))
    .toString("latin1")
    .replace(/^\/+|\/+$/g, "");
  if (found.type !== "directory") return [toRootfsEntry(Buffer.from(folder, "latin1"), found)];
  const entries: { readonly key: Buffer; readonly entry: RootfsEntry }[] = [];
  const add = (below: Uint8Array, attributes: typeof found): void => {
    signal.throwIfAborted();
    const prefix = folder === "" ? "" : `${folder}/`;
    const key = Buffer.concat([Buffer.from(prefix, "latin1"), below]);
    entries.push({ key, entry: toRootfsEntry(key, attributes) });
  };
  if (recursive) {
    for await (const { path: below, attributes } of reader.walk(found.inode))
      add(below, attributes);
  } else {
    for await (const { name, inode } of reader.readdir(found.inode)) {
      add(name, await reader.attributes(inode));
    }
  }
  return entries.sort((a, b) => Buffer.compare(a.key, b.key)).map(({ entry }) => entry);
}
