import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { createBox, createTestHome, type TestHome } from "../support/boxed-home.ts";

const day = 86_400_000;
const clocks = { "ten years back": -3653 * day, "400 days ahead": 400 * day };

/** An environment in which Node.js has another time. */
function at(folder: string, shiftMs: number): { env: Record<string, string> } {
  const code = `
    const { now } = Date, Real = Date, shift = ${shiftMs};
    globalThis.Date = class Date extends Real {
      constructor(...given) { given.length === 0 ? super(now() + shift) : super(...given); }
      static now() { return now() + shift; }
    };`;
  const url = `data:text/javascript,${encodeURIComponent(code)}`;
  return { env: { TMPDIR: folder, NODE_OPTIONS: `--import=${url}` } };
}

async function basesOf({ home }: TestHome): Promise<Record<string, unknown>> {
  const names = (await readdir(join(home, "bases"))).filter((name) => name.endsWith(".json"));
  const texts = await Promise.all(
    names.sort().map((name) => readFile(join(home, "bases", name), "utf8")),
  );
  return Object.fromEntries(names.map((name, i) => [name, JSON.parse(texts[i] ?? "").digest]));
}

describe.each(Object.entries(clocks))("with a clock that is %s", (_name, shiftMs) => {
  test("what was made is kept and still in use, and what is made then too", async () => {
    const box = await createBox();
    const other = at(box.folder, shiftMs);
    const before = await stat(box.userDisk, { bigint: true });
    const made = await box.box(["create", box.image, "--name", "later", "--format", "json"], other);
    expect(made).toMatchObject({ exitCode: 0 });
    const year = new Date(Date.now() + shiftMs).getUTCFullYear();
    expect(JSON.parse(made.stdout).box.createdAt).toMatch(new RegExp(`^${year}-`));
    for (const options of [other, {}]) {
      const pruned = await box.box(["prune"], options);
      expect(pruned).toMatchObject({ exitCode: 0 });
      for (const name of ["web", "later"]) {
        const prepared = await box.box(["prepare", name], options);
        expect(prepared).toMatchObject({ exitCode: 0 });
        expect(prepared.stderr).not.toMatch(/warning|created|recreated/);
      }
    }
    expect((await stat(box.userDisk, { bigint: true })).mtimeNs).toBe(before.mtimeNs);
    const listed = await box.box(["ls", "--format", "json"]);
    expect(JSON.parse(listed.stdout).map(({ state }: { state: string }) => state)).toEqual([
      "created",
      "created",
    ]);
  });

  test("the same bases are built", async () => {
    const now = await createTestHome();
    const then = await createTestHome();
    expect((await now.box(["create", now.image, "--name", "a"])).exitCode).toBe(0);
    const made = await then.box(["create", then.image, "--name", "a"], at(then.folder, shiftMs));
    expect(made.exitCode).toBe(0);
    const digests = await basesOf(now);
    expect(Object.keys(digests)).toHaveLength(2);
    expect(await basesOf(then)).toEqual(digests);
  });
});
