// Preloaded: a process that believes to belong to an earlier boot of the host, as all that is found after a cut of the power.
import fs from "node:fs";
import { syncBuiltinESMExports } from "node:module";

const { readFileSync } = fs;
fs.readFileSync = ((path: Parameters<typeof readFileSync>[0], options: BufferEncoding) =>
  path === "/proc/sys/kernel/random/boot_id"
    ? "00000000-0000-4000-8000-000000000001\n"
    : readFileSync(path, options)) as typeof readFileSync;
syncBuiltinESMExports();
