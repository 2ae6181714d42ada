import { cpSync } from "node:fs";
import { join } from "node:path";
import { nodeFileSystem, observeFileSystem } from "@box/io/node";
import { cacheIn, recipe } from "./cache-folder.ts";

/** Ensures or restores a base, and before each file system call keeps what a kill would leave then: a copy of all files. */
const [folder = "", states = "", verb = ""] = process.argv.slice(2);
const fs = observeFileSystem(nodeFileSystem, ({ index }) =>
  cpSync(folder, join(states, `${index}`), { recursive: true }),
);
const cache = cacheIn(folder, fs);
await (verb === "restore" ? cache.restore(recipe) : cache.ensure(recipe));
process.kill(process.pid, "SIGKILL");
