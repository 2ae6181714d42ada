import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { setTimeout as delay } from "node:timers/promises";
import { Runtime } from "@box/runtime";
import { expect, test } from "vitest";
import { FakeImages } from "./fake-images.ts";
import { litterIn } from "./kill-points/template-home.ts";
import { type Child, killChild, startChild } from "./run-child.ts";
import { temporaryFolder } from "./test-home.ts";

const count = 16;
/** How many lines a child tells before it is killed or stopped; each at another place of its work. */
const linesBefore = (index: number) => 3 + index * 3;
const standsStillMs = 1000;

/** What a child was told that it has, and how it ended. */
interface Told {
  readonly index: number;
  readonly isKilled: boolean;
  /** Boxes whose making it was told of, without those that it began to remove. */
  readonly boxes: ReadonlySet<string>;
  readonly last: unknown;
}

test("sixteen processes on one home, of which four are killed and four stand still, lose nothing", {
  timeout: 300_000,
}, async () => {
  const home = join(await temporaryFolder(), "home");
  const all = await Promise.all(Array.from({ length: count }, (_, index) => carryOut(home, index)));
  const survivors = all.filter(({ isKilled }) => !isKilled);
  expect(survivors.map(({ last }) => last)).toEqual(survivors.map(() => ({ type: "done" })));
  expect(all.length - survivors.length).toBe(4);

  await using runtime = await Runtime.open({ home, images: new FakeImages() });
  const names = (await runtime.boxes.list()).map(({ name }) => name);
  for (const { boxes } of all) for (const name of boxes) expect(names).toContain(name);
  for (const { index } of survivors) expect(names).not.toContain(`p${index}-gone`);
  for (const name of names) {
    const { container, guest } = await runtime.boxes.prepare(name);
    expect([container.disk.outcome, guest.type === "disk" && guest.disk.outcome]).toEqual([
      "kept",
      "kept",
    ]);
  }
  expect(await litterIn(runtime)).toEqual([]);
  const bases = await readdir(join(home, "bases"));
  expect(bases.filter((name) => name.endsWith(".ext4"))).toHaveLength(2);
  const states = (await runtime.operations.list({ limit: 1000 })).map(({ state }) => state);
  expect(new Set(states)).toEqual(new Set(["succeeded", "interrupted"]));
  using database = new DatabaseSync(join(home, "state.db"), { readOnly: true });
  expect(database.prepare("PRAGMA integrity_check").get()).toEqual({ integrity_check: "ok" });
  expect(database.prepare("SELECT count(*) AS leases FROM leases").get()).toEqual({ leases: 0 });
});

async function carryOut(home: string, index: number): Promise<Told> {
  const [kept, gone] = [`p${index}-kept`, `p${index}-gone`];
  const child = startChild({ home, create: [kept, gone], prepare: [kept], remove: [gone] });
  const isKilled = index % 4 === 0;
  const boxes = new Set<string>();
  let last: unknown;
  let lines = 0;
  for (let line = await child.next(); line !== undefined; line = await child.next()) {
    if (line.type === "made") boxes.add(line.name);
    if (line.type === "removing") boxes.delete(line.name);
    last = line;
    lines += 1;
    if (lines !== linesBefore(index)) continue;
    if (isKilled) await killChild(child);
    else if (index % 4 === 2) await standStill(child);
  }
  return { index, isKilled, boxes, last };
}

async function standStill({ process: child }: Child): Promise<void> {
  child.kill("SIGSTOP");
  await delay(standsStillMs);
  child.kill("SIGCONT");
}
