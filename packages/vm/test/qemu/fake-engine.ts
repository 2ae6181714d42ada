import { chmod, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { QemuEngine, type QemuEngineOptions } from "@box/vm/qemu";
import { programFolders } from "./oracle.ts";

const script = fileURLToPath(new URL("./fake-qemu.ts", import.meta.url));

/** Puts a program into a folder that plays QEMU. */
export async function addFakeQemu(folder: string): Promise<void> {
  const path = join(folder, "qemu-system-x86_64");
  const words = [process.execPath, "--conditions=@box/source", script];
  await writeFile(path, `#!/bin/sh\nexec ${words.join(" ")} "$@"\n`);
  await chmod(path, 0o755);
}

/** An engine whose QEMU is the program in a folder. */
export function fakeEngine(folder: string, more: Partial<QemuEngineOptions> = {}): QemuEngine {
  return new QemuEngine({
    programFolders: [folder, ...programFolders],
    boot: async () => ({ kernel: "/k", initrd: "/i", digest: "d" }),
    socketFolder: join(folder, "sockets"),
    ...more,
  });
}
