#!/usr/bin/env node
// Puts the agent's sources, and the compiled agent when there is a compiler, into the folder `agent` of a build.
// Usage: node --conditions=@box/source build.ts DIST
import { copyFile, mkdir, readdir } from "node:fs/promises";
import { join } from "node:path";
import { prebuiltAgentName } from "../src/agent/agent-files.ts";
import { compileAgent } from "../src/agent/compile-agent.ts";

const [, , dist] = process.argv;
if (dist === undefined) throw new Error("usage: build.ts DIST");
const folder = join(dist, "agent");
await mkdir(folder, { recursive: true });
for (const name of await readdir(import.meta.dirname)) {
  if (/\.[ch]$/.test(name)) await copyFile(join(import.meta.dirname, name), join(folder, name));
}
const cacheDirectory = join(import.meta.dirname, "../../../.cache/agent");
try {
  const { path } = await compileAgent({ cacheDirectory });
  await copyFile(path, join(folder, prebuiltAgentName()));
} catch (error) {
  process.stderr.write(`the agent is not in this build: ${String(error)}\n`);
}
