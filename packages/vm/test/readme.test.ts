import { readFile } from "node:fs/promises";
import { InProcessEngine } from "@box/vm/testing";
import { expect, test, vi } from "vitest";
import { runHello } from "./readme-example.ts";
import { makeSpec } from "./subject.ts";

test("the README's example is the one that runs here", async () => {
  const source = await readFile(new URL("./readme-example.ts", import.meta.url), "utf8");
  const readme = await readFile(new URL("../README.md", import.meta.url), "utf8");
  expect(readme).toContain(`\`\`\`ts\n${source.slice(source.indexOf("\n") + 1)}\`\`\``);
  const log = vi.spyOn(console, "log").mockImplementation(() => {});
  expect(await runHello(new InProcessEngine(), await makeSpec())).toBe(0);
  expect(log.mock.calls.flat()).toEqual(["hello"]);
});
