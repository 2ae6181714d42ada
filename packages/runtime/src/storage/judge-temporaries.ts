import { join } from "node:path";
import { removeDeadTemporaries } from "@box/io/node";
import { boxLayout, type HomeLayout } from "../home/layout.ts";
import { type FileFacts, namesIn, readFileFacts } from "./files.ts";

/** A temporary file in the home. */
export interface TemporaryFile {
  /** The file. */
  readonly file: FileFacts;
  /** Its folder. */
  readonly folder: string;
  /** Whether the process that made it is provably dead. */
  readonly isDead: boolean;
}

/** Finds the temporary files of every folder in which files are made durably. */
export async function findTemporaries(home: HomeLayout): Promise<readonly TemporaryFile[]> {
  const found: TemporaryFile[] = [];
  for (const folder of await foldersOf(home)) {
    const dead = new Set(await removeDeadTemporaries(folder, { dryRun: true }));
    for (const name of await namesIn(folder)) {
      if (!name.startsWith(".tmp-")) continue;
      const file = await readFileFacts(join(folder, name));
      if (file !== undefined) found.push({ file, folder, isDead: dead.has(name) });
    }
  }
  return found;
}

async function foldersOf(home: HomeLayout): Promise<readonly string[]> {
  const blobs = join(home.images, "blobs");
  const ids = await namesIn(home.boxes);
  return [
    home.root,
    home.bases,
    home.tmp,
    home.images,
    join(home.images, "ingest"),
    ...(await namesIn(blobs)).map((algorithm) => join(blobs, algorithm)),
    ...ids.map((id) => boxLayout(home, id).disks),
  ];
}
