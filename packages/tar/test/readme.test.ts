import { readFileSync } from "node:fs";
import * as tar from "@box/tar";
import { expect, test, vi } from "vitest";
import { bytes, concat, entry, pax, rawHeader, readTar } from "./archives.ts";

const readme = readFileSync(new URL("../README.md", import.meta.url), "utf8");

/** Runs the examples of the README as one program. @returns What `result` is at its end. */
async function runExamples(
  given: Readonly<Record<string, unknown>>,
  result: string,
): Promise<Record<string, unknown>> {
  const code = [...readme.matchAll(/```ts\n([\s\S]*?)```/g)].map(([, example]) => example).join("");
  const body = code.replace(/^import .*\n/gm, "");
  const names = { ...tar, ...given };
  const run = new Function(
    ...Object.keys(names),
    `return (async () => { ${body}; return ${result}; })();`,
  ) as (...values: unknown[]) => Promise<Record<string, unknown>>;
  return run(...Object.values(names));
}

test("the README's examples read and write archives", async () => {
  const content = bytes("abc");
  const acl = pax(["SCHILY.acl.access=user:joe:rw-"]);
  const file = tar.buildTar([
    { entry: entry({ sizeBytes: 3 }), content },
    { entry: entry({ path: bytes("b"), sizeBytes: 1500 }), content: new Uint8Array(1500) },
  ]);
  const log = vi.fn();
  const archive = [acl, rawHeader({ 0: "f", 124: "3", 156: "0" }), content];
  const found = await runExamples(
    { archive, file, console: { log } },
    "{ names, whole, pieces: [...pieces()] }",
  );
  expect(log.mock.calls).toEqual([
    ["TAR_ACL_DROPPED", "SCHILY.acl.access"],
    ["file", "f", 3],
    ["3 bytes at 0"],
    ["whole"],
  ]);
  expect(found["names"]).toEqual(["a", "b"]);
  const whole = found["whole"] as Uint8Array;
  expect(concat(...(found["pieces"] as Uint8Array[]))).toEqual(whole);
  expect(readTar(whole)[0]).toMatchObject({
    content: bytes("hello\n"),
    entry: { mtime: { seconds: 1_700_000_000, nanoseconds: 5 } },
  });
});

test("the README names everything that the package exports", () => {
  const index = readFileSync(new URL("../src/index.ts", import.meta.url), "utf8");
  const names = [...index.matchAll(/\{([^}]*)\}/g)].flatMap(([, list = ""]) =>
    list.split(",").map((name) => name.replace(/\btype\b/, "").trim()),
  );
  expect(names.length).toBeGreaterThan(12);
  for (const name of names) expect(readme, name).toMatch(new RegExp(`\\b${name}\\b`));
});

test("the README's table of limits is the defaults", () => {
  const rows = [...readme.matchAll(/^\| `(max\w+)` \| ([\d,]+) \|/gm)];
  const table = rows.map(([, name, value = ""]) => [name, Number(value.replaceAll(",", ""))]);
  expect(Object.fromEntries(table)).toEqual(tar.defaultTarLimits);
});
