import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { setTimeout as delay } from "node:timers/promises";
import { Runtime } from "@box/runtime";
import { expect, test } from "vitest";
import { FakeImages } from "../fake-images.ts";
import { litterIn } from "../kill-points/template-home.ts";
import { temporaryFolder } from "../test-home.ts";
import type { CycleLine } from "./cycle-child.ts";
import { startCycles } from "./start-cycles.ts";

/** Boxes made, prepared and removed: half of them by one process, half by processes of which many are killed. */
const cycles = Number(process.env["CYCLES"] ?? 240);
/** Of all cycles, the part that is killed in the middle. */
const killedPart = 0.05;

test(`${cycles} cycles, of which one in twenty is killed, leave nothing behind`, {
  timeout: 3_600_000,
}, async () => {
  const home = join(await temporaryFolder(), "home");
  await runHere(home, 5);
  const before = await filesIn(home);

  const steady = runSteadily(home, cycles / 2);
  const killed = await runKilled(home, cycles / 2, Math.ceil(cycles * killedPart));
  const { lines, exitCode } = await steady;
  expect(exitCode).toBe(0);
  expect(killed).toBe(Math.ceil(cycles * killedPart));

  // Neither handles nor memory grow in the one that did half of them all.
  const measured = lines.filter((line) => line.heapBytes !== undefined);
  const [first, last] = [measured[Math.floor(measured.length / 5)], measured.at(-1)];
  if (first === undefined || last === undefined) throw new Error("too few cycles to measure");
  process.stdout.write(
    `${JSON.stringify({ cycles, killed, first, last, files: before.length })}\n`,
  );
  expect(last.handles).toBeLessThanOrEqual(first.handles);
  expect(last.heapBytes - first.heapBytes).toBeLessThan(4 * 2 ** 20);
  expect(last.rssBytes - first.rssBytes).toBeLessThan(16 * 2 ** 20);

  // Whoever comes next puts away what the dead have left; the home is then what it was after five cycles.
  await removeAll(home);
  await runHere(home, 1);
  expect(await filesIn(home)).toEqual(before);
  expect(usedBytes(join(home, "state.db"))).toBeLessThan(2 * 2 ** 20);
});

/** What a database holds. Pages that are free count not: SQLite uses them again, for as many boxes as there once were. */
function usedBytes(path: string): number {
  const database = new DatabaseSync(path, { readOnly: true });
  const read = (name: string) => Number(database.prepare(`PRAGMA ${name}`).get()?.[name]);
  const bytes = (read("page_count") - read("freelist_count")) * read("page_size");
  database.close();
  return bytes;
}

/** A few cycles in this process; nobody else is there. */
async function runHere(home: string, count: number): Promise<void> {
  await using runtime = await Runtime.open({ home, images: new FakeImages() });
  for (let done = 0; done < count; done++) {
    const { box } = await runtime.boxes.create({ image: "app" });
    await runtime.boxes.remove(box.name);
  }
  expect(await runtime.boxes.list()).toEqual([]);
  expect(await litterIn(runtime)).toEqual([]);
}

/** Boxes that were made when their maker died are boxes like any: they can be prepared and removed. */
async function removeAll(home: string): Promise<void> {
  await using runtime = await Runtime.open({ home, images: new FakeImages() });
  for (const { name, state } of await runtime.boxes.list()) {
    if (state === "created") await runtime.boxes.prepare(name);
    await runtime.boxes.remove(name);
  }
}

async function runSteadily(
  home: string,
  count: number,
): Promise<{ readonly lines: readonly CycleLine[]; readonly exitCode: number | null }> {
  const child = startCycles(home, count);
  const lines: CycleLine[] = [];
  for (let line = await child.next(); line !== undefined; line = await child.next()) {
    lines.push(line);
  }
  return { lines, exitCode: await child.ended };
}

/** Cycles in processes that are killed, each at another moment of a cycle; tells how many were. */
async function runKilled(home: string, count: number, kills: number): Promise<number> {
  const perLife = Math.max(1, Math.floor(count / kills) - 1);
  let killed = 0;
  for (let life = 0; life < kills; life++) {
    const child = startCycles(home, perLife + 1_000_000);
    let last = performance.now();
    let tookMs = 0;
    for (let done = 0; done < perLife; done++) {
      expect(await child.next()).toBeDefined();
      const now = performance.now();
      tookMs = now - last;
      last = now;
    }
    // The moments go through a cycle evenly, and a little beyond it.
    await delay((((life * 7) % 20) / 16) * tookMs);
    child.kill();
    await child.ended;
    killed++;
  }
  return killed;
}

/** Names of the files of a home, but for those of the state's log, which come and go. */
async function filesIn(home: string): Promise<readonly string[]> {
  const names = await readdir(home, { recursive: true });
  return names.filter((name) => !/\.db-(wal|shm|journal)$/.test(name)).sort();
}
