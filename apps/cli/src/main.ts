#!/usr/bin/env node
import { runProgram } from "./host/load-program.ts";
import { tooOldNode } from "./host/node-version.ts";

// What is imported here is written so that every Node.js with modules can read it.
const complaint = tooOldNode(process.versions.node);
const source = "./host/main.ts";
if (complaint === undefined) {
  // Sources are run as they are, which the program that is built has not.
  if (import.meta.url.endsWith(".ts")) await (await import(source)).main(() => {});
  await runProgram(import.meta.dirname, "box.cjs");
} else {
  // Nothing else may be loaded: it would fail with words that help nobody.
  console.error(complaint);
  process.exitCode = 9;
}
