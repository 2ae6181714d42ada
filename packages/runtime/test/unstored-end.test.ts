import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { setTimeout } from "node:timers/promises";
import { nodeFileSystem, observeFileSystem } from "@box/io/node";
import { Runtime } from "@box/runtime";
import { describe, expect, onTestFinished, test } from "vitest";
import { FakeImages } from "./fake-images.ts";
import { openTestRuntime } from "./test-home.ts";

/** Lets every call of the host's file system fail from one on, until it is told to stop. */
function failFrom(point: number): () => void {
  const whole = { ...nodeFileSystem };
  const restore = () => void Object.assign(nodeFileSystem, whole);
  onTestFinished(restore);
  let calls = 0;
  const before = () => {
    calls += 1;
    if (calls >= point) throw Object.assign(new Error("EIO: injected"), { code: "EIO" });
  };
  Object.assign(nodeFileSystem, observeFileSystem(whole, before));
  return restore;
}

/** Lets the state refuse to store the end of any operation, until it is told to stop. */
function refuseEnds(home: string): () => void {
  using database = disposable(new DatabaseSync(join(home, "state.db")));
  database.exec(
    `CREATE TRIGGER refuse BEFORE UPDATE ON operations BEGIN SELECT RAISE(ABORT, 'injected'); END`,
  );
  return () => {
    using again = disposable(new DatabaseSync(join(home, "state.db")));
    again.exec("DROP TRIGGER refuse");
  };
}

function disposable(database: DatabaseSync): DatabaseSync & Disposable {
  return Object.assign(database, { [Symbol.dispose]: () => database.close() });
}

/** The states in a table in the order of their beginning, as every process finds them. */
function statesIn(home: string, table = "operations") {
  using database = disposable(new DatabaseSync(join(home, "state.db")));
  const rows = database.prepare(`SELECT state FROM ${table} ORDER BY rowid`).all();
  return rows.map(({ state }) => state);
}

async function lookAt(runtime: Runtime) {
  const boxes = (await runtime.boxes.list()).map(({ name, state }) => `${name} ${state}`);
  const operations = (await runtime.operations.list()).map(({ kind, state }) => `${kind} ${state}`);
  return { boxes, operations };
}

describe("a host whose files fail for a while, clean-ups too,", () => {
  test.for([5, 12, 20])(
    "leaves no operation that runs and no half-made box (%i)",
    async (point) => {
      const { runtime } = await openTestRuntime();
      await runtime.boxes.create({ image: "app", name: "web" });
      const operation = "a".repeat(32);
      const restore = failFrom(point);
      const cloning = runtime.boxes.clone("web", { name: "copy", operation });
      await expect(cloning).rejects.toMatchObject({ kind: "io" });
      restore();
      // On record as long as its files may be there.
      expect(statesIn(runtime.home.root, "boxes")).toEqual(["created", "creating"]);
      for await (const _event of runtime.operations.follow(operation));
      expect(await runtime.operations.get(operation)).toMatchObject({
        state: "failed",
        error: { kind: "io" },
      });
      expect(await lookAt(runtime)).toEqual({
        boxes: ["web created"],
        operations: ["clone failed", "create succeeded"],
      });
      expect(await readdir(runtime.home.boxes)).toHaveLength(1);
      await runtime.boxes.clone("web", { name: "copy" });
    },
  );
});

describe("a state that does not take the end of an operation", () => {
  test("is given it as soon as it does, and what was half made goes away", async () => {
    const { runtime, home } = await openTestRuntime();
    await runtime.boxes.create({ image: "app", name: "web" });
    const restore = refuseEnds(home);
    const cloning = runtime.boxes.clone("web", { name: "copy" });
    await expect(cloning).rejects.toMatchObject({ message: expect.stringContaining("injected") });
    expect((await lookAt(runtime)).operations).toContain("clone running");
    restore();
    const [{ id = "" } = {}] = await runtime.operations.list();
    for await (const _event of runtime.operations.follow(id));
    expect(await lookAt(runtime)).toEqual({
      boxes: ["web created"],
      operations: ["clone failed", "create succeeded"],
    });
  });

  test("is given it by the next who opens the home in the same process", async () => {
    const { runtime, home } = await openTestRuntime();
    await runtime.boxes.create({ image: "app", name: "web" });
    const restore = refuseEnds(home);
    await expect(runtime.boxes.prepare("web")).rejects.toThrow("injected");
    await runtime.close();
    restore();
    await using _again = await Runtime.open({ home, images: new FakeImages() });
    expect(statesIn(home)).toEqual(["succeeded", "failed"]);
  });

  test("is given it although nobody asks", async () => {
    const { runtime, home } = await openTestRuntime();
    const restores = [refuseEnds(home), failFrom(12)];
    await expect(runtime.boxes.create({ image: "app", name: "web" })).rejects.toMatchObject({
      kind: "io",
    });
    // Longer than it waits until it tries again.
    await setTimeout(600);
    expect(statesIn(home)).toEqual(["running"]);
    for (const restore of restores) restore();
    await expect.poll(() => statesIn(home), { timeout: 5000 }).toEqual(["failed"]);
    expect(await lookAt(runtime)).toEqual({ boxes: [], operations: ["create failed"] });
  });
});
