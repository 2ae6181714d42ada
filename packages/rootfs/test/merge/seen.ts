import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { lstat, readdir, readFile, readlink } from "node:fs/promises";
import { join } from "node:path";
import type { FileTree } from "@box/ext4";
import { output } from "../overlay/program.ts";
import { archiveOf, type TestEntry, walk } from "./layers.ts";
import { writeOciLayout } from "./oci-layout.ts";

/** What can be seen of a file, whoever unpacked it. */
export interface Seen {
  readonly type: string;
  readonly mode: number;
  readonly owner: string;
  readonly mtimeNs: string;
  readonly size?: number;
  readonly target?: string;
  readonly device?: string;
  /** The first path with the same inode. */
  readonly sameAs: string;
  readonly links?: number;
  readonly xattrs: string;
}

/** The files of an image as umoci unpacks it below `folder`. */
export async function unpack(
  folder: string,
  layers: readonly (readonly TestEntry[])[],
): Promise<Map<string, Seen>> {
  const image = join(folder, "image");
  await writeOciLayout(image, layers.map(archiveOf));
  const rootfs = join(folder, "rootfs");
  await output("umoci", "raw", "unpack", "--image", `${image}:latest`, rootfs);
  return lookAtFolder(rootfs);
}

/** The files of a folder. */
export async function lookAtFolder(folder: string): Promise<Map<string, Seen>> {
  const seen = new Map<string, Seen>();
  await look(Buffer.from(folder), "", { seen, inodes: new Map(), xattrs: xattrsBelow(folder) });
  return new Map([...seen].sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** Digests of the content of the files of a folder, by path. */
export async function contentsOf(folder: string): Promise<Map<string, string>> {
  const contents = new Map<string, string>();
  for (const [path, { type }] of await lookAtFolder(folder)) {
    if (type !== "file") continue;
    const bytes = await readFile(
      Buffer.concat([Buffer.from(`${folder}/`), Buffer.from(path, "latin1")]),
    );
    contents.set(path, createHash("sha256").update(bytes).digest("hex"));
  }
  return contents;
}

/** The files of a merged tree. */
export function lookAtTree(tree: FileTree): Map<string, Seen> {
  const seen = new Map<string, Seen>();
  const firsts = new Map<number, string>();
  for (const { path, node } of walk(tree)) {
    const attributes = tree.attributes(node);
    const { type, mode, uid, gid, mtime, symlinkTarget, xattrs } = attributes;
    if (!firsts.has(node)) firsts.set(node, path);
    seen.set(path, {
      type,
      mode,
      owner: `${uid}:${gid}`,
      mtimeNs: String(BigInt(mtime.seconds) * 1_000_000_000n + BigInt(mtime.nanoseconds)),
      ...(type === "file" ? { size: attributes.sizeBytes ?? 0 } : {}),
      ...(symlinkTarget === undefined
        ? {}
        : { target: Buffer.from(symlinkTarget).toString("latin1") }),
      ...(type === "char" || type === "block"
        ? { device: `${attributes.deviceMajor}:${attributes.deviceMinor}` }
        : {}),
      sameAs: firsts.get(node) ?? path,
      ...(type === "directory" ? {} : { links: tree.linkCount(node) }),
      xattrs: xattrs
        .map(
          ({ name, value }) =>
            `${Buffer.from(name).toString()}=${Buffer.from(value).toString("hex")}`,
        )
        .join(","),
    });
  }
  return seen;
}

/** Without the times of directories: umoci leaves the time at which it deleted something in them. */
export function withoutDirectoryTimes(seen: Map<string, Seen>): Map<string, Seen> {
  return new Map(
    [...seen].map(([path, each]) => [
      path,
      each.type === "directory" ? { ...each, mtimeNs: "" } : each,
    ]),
  );
}

/** What a walk over a folder knows. */
interface Walk {
  readonly seen: Map<string, Seen>;
  readonly inodes: Map<string, string>;
  readonly xattrs: Readonly<Record<string, string>>;
}

async function look(at: Buffer, path: string, walked: Walk) {
  const { seen, inodes, xattrs } = walked;
  const names = (await readdir(at, { encoding: "buffer" })).sort(Buffer.compare);
  for (const name of names) {
    const full = Buffer.concat([at, Buffer.from("/"), name]);
    const child = path === "" ? name.toString("latin1") : `${path}/${name.toString("latin1")}`;
    const facts = await lstat(full, { bigint: true });
    const type = typeOf(facts);
    const inode = String(facts.ino);
    if (!inodes.has(inode)) inodes.set(inode, child);
    seen.set(child, {
      type,
      mode: Number(facts.mode & 0o7777n),
      owner: `${facts.uid}:${facts.gid}`,
      mtimeNs: String(facts.mtimeNs),
      ...(type === "file" ? { size: Number(facts.size) } : {}),
      ...(type === "symlink"
        ? { target: (await readlink(full, { encoding: "buffer" })).toString("latin1") }
        : {}),
      ...(type === "char" || type === "block" ? { device: deviceOf(facts.rdev) } : {}),
      sameAs: inodes.get(inode) ?? child,
      ...(type === "directory" ? {} : { links: Number(facts.nlink) }),
      xattrs: xattrs[child] ?? "",
    });
    if (type === "directory") await look(full, child, walked);
  }
}

/** Linux keeps 12 bits of the major and 20 of the minor number in turns. */
function deviceOf(rdev: bigint): string {
  return `${(rdev >> 8n) & 0xfffn}:${(rdev & 0xffn) | ((rdev >> 12n) & 0xfff00n)}`;
}

function typeOf(facts: Awaited<ReturnType<typeof lstat>>): string {
  if (facts.isFile()) return "file";
  if (facts.isDirectory()) return "directory";
  if (facts.isSymbolicLink()) return "symlink";
  if (facts.isFIFO()) return "fifo";
  return facts.isBlockDevice() ? "block" : "char";
}

/** All attributes of all files below a folder, by path. Python reads what Node cannot. */
function xattrsBelow(folder: string): Readonly<Record<string, string>> {
  const script = `
import json, os, sys
root = os.fsencode(sys.argv[1])
found = {}
for at, folders, files in os.walk(root):
    for name in folders + files:
        path = os.path.join(at, name)
        names = sorted(os.listxattr(path, follow_symlinks=False), key=os.fsencode)
        shown = [n + '=' + os.getxattr(path, n, follow_symlinks=False).hex() for n in names]
        if shown: found[os.path.relpath(path, root).decode('latin1')] = ','.join(shown)
json.dump(found, sys.stdout)`;
  const text = execFileSync("python3", ["-c", script, folder], { encoding: "utf8" });
  return JSON.parse(text) as Record<string, string>;
}
