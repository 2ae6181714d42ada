import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { MemoryFile } from "@box/io";
import { inspectImage, Qcow2Error } from "@box/qcow2";
import { fixtures } from "@box/qcow2/fixtures";
import { describe, expect, test } from "vitest";
import { diskFolder } from "../support/qemu.ts";

const commands = [
  ["info"],
  ["explain"],
  ["check"],
  ["check", "--repair", "all"],
  ["map"],
  ["map", "--format", "qemu-json"],
  ["convert", "-O", "raw"],
  ["resize"],
];

/** Inputs whose header cannot be used, with the code that says why. */
async function corruptHeaders() {
  const found: { name: string; bytes: Uint8Array; code: string }[] = [];
  for (const { name, build } of fixtures) {
    const bytes = name.startsWith("corrupt/") ? build() : undefined;
    if (!(bytes instanceof Uint8Array)) continue;
    const error = await inspectImage(new MemoryFile(bytes)).catch((reason: unknown) => reason);
    const isCorrupt = error instanceof Qcow2Error && error.kind === "corrupt";
    if (isCorrupt) found.push({ name, bytes, code: error.code });
  }
  return fewOfEach(found, ({ code }) => code);
}

/** The first few of each kind: the package that they come from goes through all of them. */
function fewOfEach<Item>(items: readonly Item[], keyOf: (item: Item) => string): Item[] {
  const seen = new Map<string, number>();
  return items.filter((item) => {
    const count = (seen.get(keyOf(item)) ?? 0) + 1;
    seen.set(keyOf(item), count);
    return count <= 4;
  });
}

/** Words that a command needs behind its file. */
function restOf([name]: readonly string[]): string[] {
  return name === "convert" ? ["out"] : name === "resize" ? ["+1M"] : [];
}

function digest(path: string): string {
  return createHash("sha256").update(readFileSync(path)).digest("hex");
}

describe.each(commands.map((argv) => [argv.join(" "), argv] as const))("box disk %s", (_, argv) => {
  test("tells a missing file, a folder and a text by code, and leaves nothing behind", async () => {
    const { path, box } = await diskFolder();
    mkdirSync(join(path, "sub"));
    writeFileSync(join(path, "text"), "no image at all ".repeat(1000));
    const run = (file: string) => box("disk", ...argv, file, ...restOf(argv));
    const missing = await run("nope");
    expect(missing).toMatchObject({ exitCode: 3, stdout: "" });
    expect(missing.stderr).toMatch(/^error\[IO_NOT_FOUND\]: .*nope/);
    const folder = await run("sub");
    expect(folder).toMatchObject({ exitCode: 6, stdout: "" });
    expect(folder.stderr).toContain("this is a folder");
    const before = digest(join(path, "text"));
    const text = await run("text");
    expect(text).toMatchObject({ exitCode: 5, stdout: "" });
    expect(text.stderr).toMatch(/^error\[QCOW2_BAD_MAGIC\]: text: /);
    expect(text.stderr).toMatch(/^ {2}try +.*-f raw/m);
    expect(digest(join(path, "text"))).toBe(before);
    expect(readdirSync(path).sort()).toEqual(["sub", "text"]);
  });
});

// A repair is left out: some of these headers can be repaired.
describe.each(
  commands
    .filter((argv) => !argv.includes("--repair"))
    .map((argv) => [argv.join(" "), argv] as const),
)("box disk %s", (_, argv) => {
  test("ends with 5 and changes nothing for headers that are corrupt of every code", async () => {
    const { path, box } = await diskFolder();
    const headers = await corruptHeaders();
    for (const { name, bytes, code } of headers) {
      writeFileSync(join(path, "bad.img"), bytes);
      const run = await box("disk", ...argv, "bad.img", ...restOf(argv));
      expect({ name, exitCode: run.exitCode }).toEqual({ name, exitCode: 5 });
      expect(run.stderr).toContain(`error[${code}]: bad.img: `);
      expect(run.stderr).not.toMatch(/INTERNAL|\n\s+at /);
      expect(readFileSync(join(path, "bad.img")).equals(bytes)).toBe(true);
      expect(readdirSync(path)).toEqual(["bad.img"]);
    }
    expect(headers.length).toBeGreaterThan(15);
  });
});

describe("box disk check", () => {
  const checked = fewOfEach(
    fixtures.filter(
      ({ operation, expectation }) =>
        operation === "checkStructure" && ["corrupt", undefined].includes(expectation.kind),
    ),
    ({ expectation: { code, qemu, leaks = 0 } }) => [code, qemu, leaks > 0].join(),
  );

  test("ends with 5 and an error on stderr for every corrupt fixture, else with 0", async () => {
    const { path, box } = await diskFolder();
    const verdicts = new Set<number>();
    for (const { name, build, expectation } of checked) {
      const bytes = build();
      if (!(bytes instanceof Uint8Array)) continue;
      writeFileSync(join(path, "d.img"), bytes);
      const run = await box("disk", "check", "d.img");
      // A dirty image is fit for use, and its refcounts are wrong all the same.
      const isCorrupt = expectation.kind === "corrupt" || expectation.qemu === "corrupt";
      const expected = isCorrupt ? 5 : 0;
      expect({ name, exitCode: run.exitCode }).toEqual({ name, exitCode: expected });
      const isLeaking = (expectation.leaks ?? 0) > 0;
      if (expected === 5) expect(run.stderr).toMatch(/^error\[QCOW2_[A-Z_0-9]+\]: d\.img: /m);
      else if (isLeaking) expect(run.stderr).toMatch(/^warning\[QCOW2_LEAK\]: .*--repair leaks/);
      else expect(run.stderr).toBe("");
      verdicts.add(run.exitCode);
    }
    expect([...verdicts].sort()).toEqual([0, 5]);
  });
});
