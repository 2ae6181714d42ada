#!/usr/bin/env node
// Writes .cache/machine.json, which is part of turbo's keys: tests that were skipped for want of an oracle are run, not
// taken from the cache, once it is installed. The root script `turbo` runs this before turbo.
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describeMachine } from "./oracles.mjs";

const path = join(import.meta.dirname, "../../.cache/machine.json");
const text = `${JSON.stringify(describeMachine(), undefined, 2)}\n`;
if (read() !== text) {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
}

function read() {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}
