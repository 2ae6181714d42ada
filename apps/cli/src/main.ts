#!/usr/bin/env node
import { tooOldNode } from "./host/node-version.ts";

const complaint = tooOldNode(process.versions.node);
if (complaint === undefined) {
  const { enableCompileCache } = await import("node:module");
  enableCompileCache();
  const { main } = await import("./host/main.ts");
  await main();
} else {
  // Nothing else may be loaded: it would fail with words that help nobody.
  console.error(complaint);
  process.exitCode = 9;
}
