import { readdir, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { processIdentity } from "@box/io/node";
import { Runtime } from "@box/runtime";
import { describe, expect, onTestFinished, test } from "vitest";
import { FakeImages } from "./fake-images.ts";
import { type Child, killChild, startChild } from "./run-child.ts";
import { openTestRuntime, temporaryFolder } from "./test-home.ts";

const timeout = 180_000;

async function open(home: string): Promise<Runtime> {
  const runtime = await Runtime.open({ home, images: new FakeImages() });
  onTestFinished(() => runtime.close());
  return runtime;
}

async function waitForEvent(child: Child, task: string, event: string): Promise<void> {
  for (let line = await child.next(); line !== undefined; line = await child.next()) {
    if (line.type === "event" && line.task === task && line.event === event) return;
    if (line.type === "error") throw new Error(`${line.code}: ${line.message}`);
  }
  throw new Error("the child ended too early");
}

describe("several processes on one home", () => {
  test("start it together, share each base and keep the state whole", { timeout }, async () => {
    const home = join(await temporaryFolder(), "home");
    const children = Array.from({ length: 5 }, (_, index) =>
      startChild({
        home,
        create: [`p${index}-a`, `p${index}-b`, `p${index}-c`],
        prepare: [`p${index}-a`],
        remove: [`p${index}-b`],
      }),
    );
    expect(await Promise.all(children.map((child) => child.last()))).toEqual(
      children.map(() => ({ type: "done" })),
    );
    const runtime = await open(home);
    const boxes = await runtime.boxes.list();
    expect(boxes.map(({ name }) => name)).toEqual(
      children.flatMap((_, index) => [`p${index}-a`, `p${index}-c`]),
    );
    const bases = await readdir(join(home, "bases"));
    expect(bases.filter((name) => name.endsWith(".ext4"))).toHaveLength(2);
    expect(bases.filter((name) => name.startsWith("."))).toEqual([]);
    const database = new DatabaseSync(join(home, "state.db"), { readOnly: true });
    expect(database.prepare("PRAGMA integrity_check").get()).toEqual({ integrity_check: "ok" });
    expect(database.prepare("SELECT count(*) AS leases FROM leases").get()).toEqual({ leases: 0 });
    database.close();
  });

  test("that want one name get it once, and the others are told", { timeout }, async () => {
    const home = join(await temporaryFolder(), "home");
    const children = Array.from({ length: 4 }, () => startChild({ home, create: ["web"] }));
    const ends = await Promise.all(children.map((child) => child.last()));
    expect(ends.filter((line) => line?.type === "done")).toHaveLength(1);
    const told = ends.flatMap((line) => (line?.type === "error" ? [line.code] : []));
    expect(told).toEqual(["BOX_NAME_TAKEN", "BOX_NAME_TAKEN", "BOX_NAME_TAKEN"]);
    expect(await readdir(join(home, "boxes"))).toHaveLength(1);
  });

  test("one that creates a box is left alone by another that opens the home", {
    timeout,
  }, async () => {
    const home = join(await temporaryFolder(), "home");
    const child = startChild({ home, create: ["web"], hang: true });
    await waitForEvent(child, "filesystem_setup", "finished");
    const runtime = await open(home);
    expect(await runtime.boxes.list()).toMatchObject([{ name: "web", state: "creating" }]);
    expect((await runtime.boxes.inspect("web")).disks).toEqual({});
    await expect(runtime.boxes.create({ image: "app", name: "web" })).rejects.toMatchObject({
      code: "BOX_NAME_TAKEN",
    });
    await expect(runtime.boxes.remove("web")).rejects.toMatchObject({
      code: "BOX_IN_USE",
      message: `box web is in use by process ${child.process.pid} (creating web)`,
    });
    const [operation] = await runtime.operations.list();
    expect(operation).toMatchObject({ kind: "create", state: "running" });
    await killChild(child);
    await expect(runtime.boxes.create({ image: "app", name: "web" })).resolves.toBeDefined();
    expect(await readdir(join(home, "boxes"))).toHaveLength(1);
  });
});

describe("boxes that are created while other processes prune", () => {
  test("never lose their bases", { timeout }, async () => {
    const folder = await temporaryFolder();
    const home = join(folder, "home");
    const stop = join(folder, "stop");
    const pruners = [
      startChild({ home, pruneUntil: stop }),
      startChild({ home, pruneUntil: stop }),
    ];
    const makers = [
      startChild({ home, cycles: 12, create: ["a"], prepare: ["a"] }),
      startChild({ home, cycles: 12, create: ["b"], prepare: ["b"] }),
    ];
    const made = await Promise.all(makers.map((child) => child.last()));
    await writeFile(stop, "");
    const pruned = await Promise.all(pruners.map((child) => child.last()));
    expect(made).toEqual([{ type: "done" }, { type: "done" }]);
    const runtime = await open(home);
    for (const name of ["a", "b"]) {
      const { container, guest } = await runtime.boxes.prepare(name);
      expect([container.disk.outcome, guest.type === "disk" && guest.disk.outcome]).toEqual([
        "kept",
        "kept",
      ]);
    }
    expect((await runtime.storage.prune()).removed).toEqual([]);
    const counts = pruned.map((end) => (end?.type === "done" ? end.pruned : end));
    // Each maker waits three times until its base is gone.
    expect(Number(counts[0]) + Number(counts[1])).toBeGreaterThanOrEqual(6);
  });
});

describe("a process that died", () => {
  test("while it created a box leaves nothing that the next open does not clear", {
    timeout,
  }, async () => {
    const home = join(await temporaryFolder(), "home");
    const child = startChild({ home, create: ["web"], hang: true });
    await waitForEvent(child, "filesystem_setup", "finished");
    await killChild(child);
    expect(await readdir(join(home, "boxes"))).toHaveLength(1);
    const runtime = await open(home);
    expect(await runtime.boxes.list()).toEqual([]);
    expect(await readdir(join(home, "boxes"))).toEqual([]);
    expect((await readdir(join(home, "locks"))).filter((name) => name.startsWith("box-"))).toEqual(
      [],
    );
    expect(await runtime.operations.list()).toMatchObject([
      { kind: "create", state: "interrupted", error: { code: "OPERATION_INTERRUPTED" } },
    ]);
    await expect(runtime.boxes.create({ image: "app", name: "web" })).resolves.toBeDefined();
  });

  test("while it removed a box has it removed to the end by the next open", async () => {
    const { runtime, home } = await openTestRuntime();
    const { box } = await runtime.boxes.create({ image: "app", name: "web" });
    const other = await runtime.boxes.create({ image: "app", name: "other" });
    await runtime.close();
    const database = new DatabaseSync(join(home, "state.db"));
    database.exec("UPDATE boxes SET state = 'removing' WHERE name = 'web'");
    database.close();
    const again = await open(home);
    expect(await again.boxes.list()).toMatchObject([{ name: "other" }]);
    await expect(stat(box.directory)).rejects.toMatchObject({ code: "ENOENT" });
    expect((await stat(other.box.directory)).isDirectory()).toBe(true);
  });

  test("leaves temporary files that are collected, and those of live processes stay", async () => {
    const { runtime, home } = await openTestRuntime();
    const { box } = await runtime.boxes.create({ image: "app", name: "web" });
    await runtime.close();
    const { pid, startTime } = processIdentity();
    const dead = `.tmp-${pid}-1-0123456789abcdef`;
    const live = `.tmp-${pid}-${startTime}-0123456789abcdef`;
    const disks = join(box.directory, "disks");
    for (const folder of [home, join(home, "bases"), join(home, "tmp"), disks]) {
      await writeFile(join(folder, dead), "");
      await writeFile(join(folder, live), "");
    }
    const again = await open(home);
    await again.boxes.prepare("web");
    for (const folder of [home, join(home, "bases"), join(home, "tmp"), disks]) {
      const names = await readdir(folder);
      expect(names).not.toContain(dead);
      expect(names).toContain(live);
    }
  });

  test("while it worked on a box leaves nothing among its disks after the next open", async () => {
    const { runtime, home } = await openTestRuntime();
    const { box } = await runtime.boxes.create({ image: "app", name: "web" });
    await runtime.boxes.prepare("web");
    await runtime.close();
    const owner = { ...processIdentity(), startTime: "1" };
    const left = join(box.directory, "disks", `.tmp-${owner.pid}-1-0123456789abcdef`);
    await writeFile(left, "");
    const database = new DatabaseSync(join(home, "state.db"));
    database
      .prepare("UPDATE operations SET state = 'running', owner = ? WHERE kind = 'prepare'")
      .run(JSON.stringify(owner));
    database.close();
    const again = await open(home);
    await expect(stat(left)).rejects.toMatchObject({ code: "ENOENT" });
    const [last] = await again.operations.list();
    expect(last).toMatchObject({ kind: "prepare", state: "interrupted" });
  });

  test("leaves no lease that is kept", async () => {
    const { runtime, home } = await openTestRuntime();
    await runtime.close();
    const database = new DatabaseSync(join(home, "state.db"));
    // The pid is this one, its start is not: a dead process whose pid was given out again.
    const put = database.prepare("INSERT INTO leases VALUES (?, 'base:k', 'test', ?, 0)");
    put.run("dead", JSON.stringify({ ...processIdentity(), startTime: "1" }));
    put.run("live", JSON.stringify(processIdentity()));
    database.close();
    await open(home);
    const after = new DatabaseSync(join(home, "state.db"), { readOnly: true });
    expect(after.prepare("SELECT id FROM leases").all()).toEqual([{ id: "live" }]);
    after.close();
  });
});
