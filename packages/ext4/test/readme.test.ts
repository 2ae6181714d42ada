import { readFileSync } from "node:fs";
import * as ext4 from "@box/ext4";
import { MemoryFile } from "@box/io";
import { expect, test, vi } from "vitest";

const readme = readFileSync(new URL("../README.md", import.meta.url), "utf8");

test("the README's examples make a file system and read it", async () => {
  const code = [...readme.matchAll(/```ts\n([\s\S]*?)```/g)].map(([, example]) => example).join("");
  const body = code.replace(/^import .*\n/gm, "");
  const log = vi.fn();
  const names = { ...ext4, MemoryFile, console: { log } };
  const run = new Function(
    ...Object.keys(names),
    `return (async () => { ${body}; return plan; })();`,
  ) as (...values: unknown[]) => Promise<ext4.Ext4Plan>;
  const plan = await run(...Object.values(names));
  expect(log.mock.calls.map((words) => words.join(" "))).toEqual([
    "directory etc",
    "file etc/hosts",
    "file hosts",
    "directory lost+found",
    "127.0.0.1 localhost\n",
    "4 nodes, 0 findings",
  ]);
  expect(plan.freeBytes).toBeGreaterThanOrEqual(16 * 2 ** 20);
});

test("the README names everything that the package exports, and every option of a plan", () => {
  const index = readFileSync(new URL("../src/index.ts", import.meta.url), "utf8");
  const names = [...index.matchAll(/\{([^}]*)\}/g)].flatMap(([, list = ""]) =>
    list
      .split(",")
      .map((name) => name.replace(/\btype\b/, "").trim())
      .filter(Boolean),
  );
  const options = readFileSync(new URL("../src/plan/options.ts", import.meta.url), "utf8");
  const [, fields = ""] = /interface PlanExt4Options \{([^}]*)\}/.exec(options) ?? [];
  names.push(...[...fields.matchAll(/readonly (\w+)/g)].map(([, name = ""]) => name));
  const methods = [ext4.FileTree, ext4.Ext4Reader, ext4.Ext4Plan].flatMap(({ prototype }) =>
    Object.getOwnPropertyNames(prototype).filter((name) => name !== "constructor"),
  );
  expect(names.length + methods.length).toBeGreaterThan(50);
  for (const name of [...names, ...methods])
    expect(readme, name).toMatch(new RegExp(`\\b${name}\\b`));
});
