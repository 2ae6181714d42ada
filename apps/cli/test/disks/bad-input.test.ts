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

describe("box disk bitmap", () => {
  /** An image with two bitmaps, and a way to run commands that must fail and leave it as it is. */
  async function imageWithBitmaps() {
    const folder = await diskFolder();
    const { path, box } = folder;
    const bitmap = (...argv: string[]) => box("disk", "bitmap", ...argv);
    expect((await box("disk", "create", "a.qcow2", "1M")).exitCode).toBe(0);
    for (const name of ["one", "two"]) {
      expect((await bitmap("add", "a.qcow2", name)).exitCode).toBe(0);
    }
    const file = join(path, "a.qcow2");
    const { bitmaps } = await inspectImage(new MemoryFile(readFileSync(file)));
    /** Overwrites bytes of the first entry of the directory. */
    const damage = (at: number, ...bytes: number[]) => {
      const image = readFileSync(file);
      image.set(bytes, (bitmaps?.offset ?? 0) + at);
      writeFileSync(file, image);
    };
    const refused = async (exitCode: number, code: string, argv: readonly string[]) => {
      const before = digest(file);
      const run = await bitmap(...argv);
      expect(run, argv.join(" ")).toMatchObject({ exitCode, stdout: "" });
      expect(run.stderr).toContain(`error[${code}]: `);
      expect(digest(file)).toBe(before);
      return run.stderr;
    };
    return { ...folder, bitmap, damage, refused };
  }

  test("names a bitmap that is not there, and says how to list those that are", async () => {
    const { refused } = await imageWithBitmaps();
    for (const argv of [
      ...["remove", "clear", "enable", "disable"].map((word) => [word, "a.qcow2", "none"]),
      ["merge", "a.qcow2", "none", "one"],
      ["merge", "a.qcow2", "one", "none"],
    ]) {
      const told = await refused(3, "QCOW2_BITMAP_NOT_FOUND", argv);
      expect(told).toContain('no bitmap "none"');
      expect(told).toMatch(/^ {2}try +.*box disk bitmap list/m);
    }
  });

  test("refuses a name that is taken, and names and granularities that cannot be", async () => {
    const { refused } = await imageWithBitmaps();
    await refused(4, "QCOW2_BITMAP_EXISTS", ["add", "a.qcow2", "one"]);
    await refused(2, "QCOW2_INVALID_ARGUMENT", ["add", "a.qcow2", "x".repeat(1024)]);
    await refused(2, "QCOW2_INVALID_ARGUMENT", ["add", "a.qcow2", "\u00fc".repeat(512)]);
    for (const size of ["256", "1000", "4GiB"]) {
      await refused(2, "QCOW2_INVALID_ARGUMENT", ["add", "-g", size, "a.qcow2", "new"]);
    }
    for (const size of ["many", "-1"]) {
      await refused(2, "CLI_INVALID_ARGUMENT", ["add", "-g", size, "a.qcow2", "new"]);
    }
  });

  test("relies on no bitmap that a writer left in use, and removes it", async () => {
    const { box, bitmap, damage, refused } = await imageWithBitmaps();
    damage(12, 0, 0, 0, 3);
    for (const argv of [
      ...["clear", "enable", "disable"].map((word) => [word, "a.qcow2", "one"]),
      ["merge", "a.qcow2", "one", "two"],
      ["merge", "a.qcow2", "two", "one"],
    ]) {
      const told = await refused(4, "QCOW2_BITMAP_IN_USE", argv);
      expect(told).toMatch(/^ {2}try +.*box disk bitmap remove/m);
    }
    expect((await box("disk", "resize", "a.qcow2", "2M")).stderr).toContain("QCOW2_BITMAP_IN_USE");
    expect((await bitmap("remove", "a.qcow2", "one")).exitCode).toBe(0);
    expect((await box("disk", "resize", "a.qcow2", "2M")).exitCode).toBe(0);
    expect((await bitmap("list", "-q", "a.qcow2")).stdout).toBe("two\n");
  });

  test.each([
    ["a type that is unknown", 16, [2]],
    ["a name without bytes", 18, [0, 0]],
    ["a name that leads out of the directory", 18, [255, 255]],
    ["extra data that leads out of the directory", 20, [255, 255, 255, 255]],
    ["a granularity of 2^32", 17, [32]],
    ["a table that is misaligned", 7, [1]],
    ["a table of too many entries", 8, [255, 255, 255, 255]],
    ["reserved flags", 12, [128]],
  ] as const)("calls a directory corrupt that has %s", async (_, at, bytes) => {
    const { box, damage, refused } = await imageWithBitmaps();
    damage(at, ...bytes);
    for (const argv of [
      ["list", "a.qcow2"],
      ["add", "a.qcow2", "new"],
      ["remove", "a.qcow2", "two"],
      ["merge", "a.qcow2", "two", "one"],
    ]) {
      await refused(5, "QCOW2_BITMAP_INVALID", argv);
    }
    expect((await box("disk", "resize", "a.qcow2", "2M")).exitCode).toBe(5);
    expect((await box("disk", "check", "a.qcow2")).exitCode).toBe(5);
  });
});
