import { createHash } from "node:crypto";
import { join } from "node:path";
import { VmError } from "../errors.ts";
import { makePrivateFolder } from "./private-folder.ts";

/** Most bytes of the path of a socket: 107 on Linux, 103 on macOS. */
const longestPathBytes = 103;
const socketName = "vm.sock";

/**
 * Where the socket of a machine goes: into its folder, unless that lies too deep; then into a folder of its own below
 * `fallback`, which is made for this user alone.
 *
 * @throws VmError `VM_SPAWN_FAILED` when that folder is not this user's alone.
 */
export async function socketPath(directory: string, id: string, fallback: string): Promise<string> {
  const near = join(directory, socketName);
  if (Buffer.byteLength(near) <= longestPathBytes) return near;
  const name = createHash("sha256").update(`${directory}\0${id}`).digest("hex").slice(0, 16);
  const path = join(fallback, `${name}.sock`);
  if (Buffer.byteLength(path) > longestPathBytes) {
    throw new VmError({
      code: "VM_SPAWN_FAILED",
      message: `the folder for sockets lies too deep: ${fallback}`,
      details: { path, limitBytes: longestPathBytes },
      hint: "use a folder for sockets with a shorter path",
    });
  }
  if (await makePrivateFolder(fallback)) return path;
  throw new VmError({
    code: "VM_SPAWN_FAILED",
    message: `the folder for sockets is not this user's own: ${fallback}`,
    details: { path: fallback },
    hint: "remove it, or use another folder for sockets",
  });
}
