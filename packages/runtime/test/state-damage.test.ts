import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { systemClock } from "@box/pipeline";
import { Runtime } from "@box/runtime";
import { describe, expect, test } from "vitest";
import { FakeImages } from "./fake-images.ts";
import { killChild, startChild } from "./run-child.ts";
import { openTestRuntime, temporaryFolder } from "./test-home.ts";

/** A home whose last user was killed: what it stored is in the log of the state. */
async function killedHome(): Promise<string> {
  const home = join(await temporaryFolder(), "home");
  const child = startChild({ home, create: ["web"], engine: { hangAt: "exec" }, start: ["web"] });
  for (let line = await child.next(); line?.type !== "step"; line = await child.next()) {
    if (line === undefined || line.type === "error") throw new Error(JSON.stringify(line));
  }
  await killChild(child);
  return home;
}

async function damaged(sql: string): Promise<Runtime> {
  const { runtime, home } = await openTestRuntime();
  await runtime.boxes.create({ image: "app", name: "web" });
  await runtime.close();
  const database = new DatabaseSync(join(home, "state.db"));
  database.exec(sql);
  database.close();
  return (await openTestRuntime({ home })).runtime;
}

describe("a state that is lost", () => {
  test("and whose log is there still is refused too, and the log stays", async () => {
    const home = await killedHome();
    await rm(join(home, "state.db"));
    const before = await readdir(home);
    expect(before).toContain("state.db-wal");
    await expect(Runtime.open({ home, images: new FakeImages() })).rejects.toMatchObject({
      code: "STATE_CORRUPT",
      kind: "corrupt",
    });
    expect(await readdir(home)).toEqual(before);
  });
});

describe("a state with what nobody has written is told as damaged:", () => {
  test.each([
    "UPDATE boxes SET created_ms = 9223372036854775807",
    "UPDATE boxes SET created_ms = -9223372036854775808",
    "UPDATE boxes SET updated_ms = 8640000000000001",
    "UPDATE boxes SET auto_remove = 2",
    "UPDATE boxes SET stop_requested = -1",
    "UPDATE operations SET started_ms = 8640000000000001",
    "UPDATE operations SET finished_ms = 9223372036854775807",
    "UPDATE disks SET made_ms = 8640000000000001",
    "UPDATE disks SET virtual_size_bytes = 9223372036854775807",
    "DROP TABLE disks",
  ])("%s", async (sql) => {
    const found = damaged(sql).then((runtime) => runtime.boxes.inspect("web"));
    await expect(found).rejects.toMatchObject({ code: "STATE_CORRUPT", kind: "corrupt" });
  });

  test("a version of the state that is not its own", async () => {
    await expect(damaged("PRAGMA user_version = 1")).rejects.toMatchObject({
      code: "STATE_CORRUPT",
    });
  });
});

test("what is done after the clock went back is the newest, and is not forgotten", async () => {
  let nowMs = Date.now();
  const { runtime } = await openTestRuntime({ clock: { ...systemClock, now: () => nowMs } });
  await runtime.boxes.create({ image: "app", name: "web" });
  // More than are kept of a box.
  for (let count = 0; count < 101; count += 1) await runtime.boxes.prepare("web");
  nowMs -= 10 * 365 * 24 * 3600 * 1000;
  const { operation } = await runtime.boxes.prepare("web");
  const [newest] = await runtime.operations.list();
  expect(newest).toMatchObject({ id: operation, state: "succeeded" });
  const { operations, history } = await runtime.boxes.inspect("web");
  expect(operations[0]?.id).toBe(operation);
  expect(history.at(-1)?.operation).toBe(operation);
});

test("a box that was to go away when it had stopped goes, where who stopped it died before that", async () => {
  const { runtime, home } = await openTestRuntime();
  await runtime.boxes.create({ image: "app", name: "web", autoRemove: true });
  await runtime.boxes.create({ image: "app", name: "db" });
  await runtime.boxes.create({ image: "app", name: "new", autoRemove: true });
  await runtime.close();
  const database = new DatabaseSync(join(home, "state.db"));
  database.exec("UPDATE boxes SET state = 'stopped' WHERE name IN ('web', 'db')");
  database.close();
  const { runtime: again } = await openTestRuntime({ home });
  expect((await again.boxes.list()).map(({ name }) => name)).toEqual(["db", "new"]);
  expect(await readdir(join(home, "boxes"))).toHaveLength(2);
});
