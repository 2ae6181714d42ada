import { readFile } from "node:fs/promises";
import { FileTree, type NodeId, planExt4, writeExt4 } from "@box/ext4";
import { openFile } from "@box/io/node";

const owner = { uid: 0, gid: 0, mtime: { seconds: 0, nanoseconds: 0 }, xattrs: [] };
const bytesOf = (text: string) => new TextEncoder().encode(text);

/** Writes a disk with a program, `/bin/contract`, and next to nothing else: no shell, no `/tmp`, no `/proc`, and what it is said to have as `/etc/resolv.conf` and beside it. */
export async function writeBoxDisk(
  path: string,
  program: string,
  resolver: "none" | "file" | "link" = "none",
): Promise<void> {
  const content = await readFile(program);
  const tree = new FileTree();
  const folder = (name: string) =>
    tree.add(tree.root, bytesOf(name), { ...owner, type: "directory", mode: 0o755 });
  const [bin, etc, run] = [folder("bin"), folder("etc"), folder("run")];
  folder("work");
  const files: [NodeId, Uint8Array][] = [];
  const add = (parent: NodeId, name: string, mode: number, bytes: Uint8Array) => {
    const attributes = { ...owner, type: "file", mode, sizeBytes: bytes.byteLength } as const;
    files.push([tree.add(parent, bytesOf(name), attributes), bytes]);
  };
  add(bin, "contract", 0o755, content);
  add(
    etc,
    "passwd",
    0o444,
    bytesOf("root:x:0:0:root:/root:/bin/sh\nwww:x:33:33::/var/www:/bin/sh\n"),
  );
  add(run, "kept", 0o644, bytesOf("of the image\n"));
  if (resolver === "file") {
    for (const name of ["hosts", "hostname", "resolv.conf"]) {
      add(etc, name, 0o644, bytesOf("of the image\n"));
    }
  }
  if (resolver === "link") {
    const target = bytesOf("../run/systemd/resolve/stub-resolv.conf");
    tree.add(etc, bytesOf("resolv.conf"), {
      ...owner,
      type: "symlink",
      mode: 0o777,
      symlinkTarget: target,
    });
  }
  add(etc, "group", 0o444, bytesOf("root:x:0:\nwww:x:33:\n"));
  await writeDisk(path, tree, files);
}

/**
 * Writes a disk for the system that boots: what its agent needs to move into it. A full one is like that of an image of a
 * distribution: without the folder that the box's disk is mounted at, and without space for it.
 */
export async function writeGuestDisk(path: string, isFull = false): Promise<void> {
  const tree = new FileTree();
  const names = ["dev", "proc", "sys", "run", "tmp", "etc", "bin", ...(isFull ? [] : ["box"])];
  for (const name of names) {
    tree.add(tree.root, bytesOf(name), { ...owner, type: "directory", mode: 0o755 });
  }
  await writeDisk(path, tree, [], isFull ? 0 : undefined);
}

async function writeDisk(
  path: string,
  tree: FileTree,
  files: readonly (readonly [NodeId, Uint8Array])[],
  freeBytes = 8 * 2 ** 20,
): Promise<void> {
  const plan = planExt4(tree, { freeBytes });
  await using file = await openFile(path, { mode: "create" });
  await writeExt4(plan, file);
  for (const [node, bytes] of files) {
    for (const { fileOffset, imageOffset, length } of plan.extents(node)) {
      await file.write?.(imageOffset, bytes.subarray(fileOffset, fileOffset + length));
    }
  }
}
