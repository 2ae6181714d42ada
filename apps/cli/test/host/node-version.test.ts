import { readFile } from "node:fs/promises";
import { expect, test } from "vitest";
import { tooOldNode } from "../../src/host/node-version.ts";

test.each(["22.22.2", "22.23.0", "24.15.0", "26.0.0-nightly", "100.0.0"])(
  "runs on %s",
  (version) => {
    expect(tooOldNode(version)).toBeUndefined();
  },
);

test.each(["22.22.1", "22.9.3", "20.19.0", "0.12.18", "v8"])(
  "says why it does not run on %s",
  (version) => {
    expect(tooOldNode(version)).toContain(`needs Node.js 22.22.2 or newer, and this is ${version}`);
  },
);

test("says the same as package.json", async () => {
  const text = await readFile(new URL("../../package.json", import.meta.url), "utf8");
  expect(JSON.parse(text).engines.node).toMatch(/^\^22\.22\.2 /);
});
