import { readFile } from "node:fs/promises";
import { pipelineErrorKinds } from "@box/pipeline";
import { expect, test, vi } from "vitest";

const readme = await readFile(new URL("../README.md", import.meta.url), "utf8");

test("the README's example is the one that runs here", async () => {
  const source = await readFile(new URL("./readme-example.ts", import.meta.url), "utf8");
  const example = source.slice(source.indexOf("\n") + 1);
  expect(readme).toContain(`\`\`\`ts\n${example}\`\`\``);
  const log = vi.spyOn(console, "log").mockImplementation(() => {});
  await import("./readme-example.ts");
  expect(log.mock.calls.flat()).toEqual([
    "started",
    "progress",
    "finished",
    "started",
    "alpine",
    "finished",
    "pull then boot",
  ]);
});

test("the README's table holds every error code with its kind", () => {
  for (const [code, kind] of Object.entries(pipelineErrorKinds)) {
    expect(readme).toContain(`| \`${code}\` | ${kind} |`);
  }
});
