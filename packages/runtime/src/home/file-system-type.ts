import { statfsSync } from "node:fs";
import { toIoError } from "@box/io/node";
import { RuntimeError } from "../errors.ts";

/** A file system's magic number, as `statfs` gives it. */
export type FileSystemType = number;

/** File systems on which the shared memory of the state database does not work between hosts. */
const networkTypes: ReadonlyMap<FileSystemType, string> = new Map([
  [0x6969, "NFS"],
  [0xff534d42, "CIFS"],
  [0xfe534d42, "SMB2"],
  [0x517b, "SMB"],
  [0x01021997, "9p"],
]);

/** Asks the host what kind of file system a path is on. */
export async function readFileSystemType(path: string): Promise<FileSystemType> {
  try {
    return statfsSync(path).type;
  } catch (error) {
    throw toIoError(error, { action: "cannot find the file system of", path });
  }
}

/** @throws RuntimeError `HOME_ON_NETWORK`. */
export function refuseNetwork(path: string, type: FileSystemType): void {
  // The field is signed on some platforms.
  const name = networkTypes.get(type >>> 0);
  if (name === undefined) return;
  throw new RuntimeError({
    code: "HOME_ON_NETWORK",
    message: `cannot keep a home in ${path}: it is on a network file system (${name})`,
    details: { path, fileSystem: name },
    hint: "give a folder on a local disk with --home",
  });
}
