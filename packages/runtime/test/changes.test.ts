import { readdir, readFile, rm, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { acquireLock } from "@box/io/node";
import { type BoxDetails, Runtime } from "@box/runtime";
import { describe, expect, test } from "vitest";
import { migrations } from "../src/state/migrations.ts";
import { factsOf } from "./disk-facts.ts";
import { FakeImages } from "./fake-images.ts";
import { giveMachine } from "./live-machine.ts";
import { openTestRuntime } from "./test-home.ts";

const mebibyte = 1024 * 1024;

async function withBox(options: { readonly labels?: Record<string, string> } = {}) {
  const opened = await openTestRuntime();
  const { box } = await opened.runtime.boxes.create({
    image: "app",
    name: "web",
    diskSizeBytes: 32 * mebibyte,
    ...options,
  });
  return { ...opened, box, boxes: opened.runtime.boxes };
}

const changesIn = (box: BoxDetails) =>
  box.history.flatMap((event) => (event.type === "change" ? [event.message] : []));

describe("labels and auto-remove", () => {
  test("are recorded, shown and found by", async () => {
    const { boxes } = await withBox({ labels: { tier: "front", "example.com/team": "" } });
    await boxes.create({ image: "app", name: "db", labels: { tier: "back" }, autoRemove: true });
    expect(await boxes.inspect("db")).toMatchObject({ labels: { tier: "back" }, autoRemove: true });
    const [db, web] = await boxes.list();
    expect(db).toMatchObject({ name: "db", autoRemove: true });
    expect(web).toMatchObject({
      labels: { tier: "front", "example.com/team": "" },
      autoRemove: false,
    });
    const found = async (...labels: { readonly name: string; readonly value?: string }[]) =>
      (await boxes.list({ labels })).map(({ name }) => name);
    expect(await found({ name: "tier" })).toEqual(["db", "web"]);
    expect(await found({ name: "tier", value: "back" })).toEqual(["db"]);
    expect(await found({ name: "tier" }, { name: "example.com/team" })).toEqual(["web"]);
    expect(await found({ name: "constructor" })).toEqual([]);
  });

  test.each([
    { "": "x" },
    { "-a": "x" },
    { "a-": "x" },
    { "a b": "x" },
    { ["a".repeat(129)]: "x" },
    { a: "x\ny" },
    { a: "\u0085" },
    { a: "é".repeat(2049) },
    Object.fromEntries(Array.from({ length: 65 }, (_, index) => [`a${index}`, ""])),
  ])("refuses labels that are none", async (labels) => {
    const { runtime } = await openTestRuntime();
    await expect(runtime.boxes.create({ image: "app", name: "web", labels })).rejects.toMatchObject(
      { code: "BOX_LABEL_INVALID", kind: "invalid-argument" },
    );
    expect(await runtime.boxes.list()).toEqual([]);
  });

  test("are empty for boxes of a state that is older than they", async () => {
    const { runtime, home } = await withBox();
    await runtime.close();
    const database = new DatabaseSync(join(home, "state.db"));
    database.exec(
      `DROP TABLE machines; ${[
        "labels",
        "auto_remove",
        "run_settings",
        "restarts",
        "stop_requested",
        "last_exit",
      ]
        .map((column) => `ALTER TABLE boxes DROP COLUMN ${column};`)
        .join("")}`,
    );
    database.exec("PRAGMA user_version = 1");
    database.close();
    await using again = await Runtime.open({ home, images: new FakeImages() });
    expect(await again.boxes.list()).toMatchObject([
      {
        name: "web",
        labels: {},
        autoRemove: false,
        run: { memoryMiB: 256, cpus: 1, restart: { type: "no" } },
        restarts: 0,
        stopRequested: false,
      },
    ]);
    expect(migrations).toHaveLength(3);
  });
});

describe("rename", () => {
  test("gives another name, keeps everything else, and is in the history", async () => {
    const { boxes, box } = await withBox();
    const renamed = await boxes.rename("web", "www");
    expect(renamed.box).toMatchObject({ id: box.id, name: "www", disks: box.disks });
    expect(changesIn(renamed.box)).toEqual(["renamed box web to www"]);
    await expect(boxes.inspect("web")).rejects.toMatchObject({ code: "BOX_NOT_FOUND" });
    expect((await boxes.prepare("www")).container.disk.outcome).toBe("kept");
    await boxes.create({ image: "app", name: "web" });
    await boxes.rename(box.id, "www");
  });

  test("refuses a name that is taken, or none, and a box that somebody works on", async () => {
    const { runtime, boxes, box } = await withBox();
    await boxes.create({ image: "app", name: "db" });
    await expect(boxes.rename("web", "db")).rejects.toMatchObject({ code: "BOX_NAME_TAKEN" });
    await expect(boxes.rename("web", "-")).rejects.toMatchObject({ code: "BOX_NAME_INVALID" });
    const lock = await acquireLock(join(runtime.home.locks, `box-${box.id}.lock`));
    await expect(boxes.rename("web", "www", { lockTimeoutMs: 0 })).rejects.toMatchObject({
      code: "BOX_IN_USE",
    });
    await lock.release();
    expect((await boxes.list()).map(({ name }) => name)).toEqual(["db", "web"]);
    expect((await runtime.operations.list()).map(({ kind }) => kind)).not.toContain("rename");
  });
});

describe("clone", () => {
  test("copies both overlays byte for byte, on the same bases, and leaves the source alone", async () => {
    const { boxes, box, runtime } = await withBox({ labels: { a: "b" } });
    await boxes.createSnapshot("web", "s1");
    const paths = [box.disks.user?.path ?? "", box.disks.guest?.path ?? ""];
    const before = await Promise.all(paths.map(factsOf));
    const { box: copy } = await boxes.clone("web", { name: "copy" });
    expect(copy).toMatchObject({ name: "copy", state: "created", labels: { a: "b" } });
    expect(copy.id).not.toBe(box.id);
    expect(copy.disks.user?.base).toEqual(box.disks.user?.base);
    expect(await readFile(copy.disks.user?.path ?? "")).toEqual(await readFile(paths[0] ?? ""));
    expect(await readFile(copy.disks.guest?.path ?? "")).toEqual(await readFile(paths[1] ?? ""));
    expect(await Promise.all(paths.map(factsOf))).toEqual(before);
    expect(changesIn(copy)).toEqual(["box copy is a copy of box web"]);
    expect(await boxes.listSnapshots("copy")).toEqual(await boxes.listSnapshots("web"));
    await boxes.remove("web");
    expect((await runtime.storage.prune()).removed).toEqual([]);
    const { container, guest } = await boxes.prepare("copy");
    expect(container.disk.outcome).toBe("kept");
    expect(guest).toMatchObject({ disk: { outcome: "kept" } });
    expect((await boxes.clone("copy")).box.name).toMatch(/^box-[0-9a-f]{8}$/);
  });

  test("of a box without a guest disk has none", async () => {
    const { runtime } = await openTestRuntime();
    const create = { image: "app", name: "web", guestRootfs: { type: "initramfs" } } as const;
    await runtime.boxes.create(create);
    const { box } = await runtime.boxes.clone("web", { name: "copy" });
    expect(await readdir(join(box.directory, "disks"))).toEqual(["disk.qcow2"]);
  });

  test.each(["user", "guest"] as const)(
    "of a damaged %s disk is refused, and leaves nothing",
    async (role) => {
      const { boxes, box, home } = await withBox();
      const path = box.disks[role]?.path ?? "";
      await truncate(path, 1000);
      const before = await factsOf(path);
      await expect(boxes.clone("web", { name: "copy" })).rejects.toMatchObject({
        code: "OVERLAY_CORRUPT",
        kind: "corrupt",
      });
      expect(await factsOf(path)).toEqual(before);
      expect((await boxes.list()).map(({ name }) => name)).toEqual(["web"]);
      expect(await readdir(join(home, "boxes"))).toEqual([box.id]);
      const locks = (await readdir(join(home, "locks"))).filter((name) => name.startsWith("box-"));
      expect(locks).toEqual([`box-${box.id}.lock`]);
      await rm(path);
      await expect(boxes.clone("web")).rejects.toMatchObject({ code: "OVERLAY_MISSING" });
    },
  );

  test("refuses a name that is taken and a base that is gone", async () => {
    const { boxes, box } = await withBox();
    await expect(boxes.clone("web", { name: "web" })).rejects.toMatchObject({
      code: "BOX_NAME_TAKEN",
    });
    await rm(box.disks.user?.base?.path ?? "");
    await expect(boxes.clone("web")).rejects.toMatchObject({ code: "OVERLAY_BACKING_MISSING" });
    expect(await boxes.list()).toHaveLength(1);
  });
});

describe("snapshots", () => {
  test("are taken, listed, restored and removed, and are in the history", async () => {
    const { boxes } = await withBox();
    expect(await boxes.listSnapshots("web")).toEqual([]);
    const { snapshot, box } = await boxes.createSnapshot("web", "s1");
    const size = box.disks.user?.virtualSizeBytes;
    expect(snapshot).toEqual({
      name: "s1",
      createdAt: expect.stringMatching(/^20.*Z$/),
      virtualSizeBytes: size,
    });
    await boxes.resize("web", 64 * mebibyte);
    await boxes.createSnapshot("web", "s2");
    expect((await boxes.listSnapshots("web")).map(({ name }) => name)).toEqual(["s1", "s2"]);
    const restored = await boxes.restoreSnapshot("web", "s1");
    expect(restored.box.disks.user?.virtualSizeBytes).toBe(size);
    const removed = await boxes.removeSnapshot("web", "s1");
    expect((await boxes.listSnapshots("web")).map(({ name }) => name)).toEqual(["s2"]);
    expect(changesIn(removed.box)).toEqual([
      "snapshot s1 of box web: created",
      expect.stringContaining(`has ${64 * mebibyte} bytes now`),
      "snapshot s2 of box web: created",
      "snapshot s1 of box web: restored",
      "snapshot s1 of box web: removed",
    ]);
    expect((await boxes.prepare("web")).container.disk.outcome).toBe("kept");
  });

  test("refuse a name that is taken, unknown, or none, and a damaged disk", async () => {
    const { boxes, box, runtime } = await withBox();
    await boxes.createSnapshot("web", "s1");
    const path = box.disks.user?.path ?? "";
    const before = (await factsOf(path))["digest"];
    await expect(boxes.createSnapshot("web", "s1", { operation: "op" })).rejects.toMatchObject({
      code: "BOX_SNAPSHOT_NAME_TAKEN",
    });
    await expect(boxes.createSnapshot("web", "../s")).rejects.toMatchObject({
      code: "BOX_SNAPSHOT_NAME_INVALID",
    });
    for (const change of ["restoreSnapshot", "removeSnapshot"] as const) {
      await expect(boxes[change]("web", "1")).rejects.toMatchObject({
        code: "BOX_SNAPSHOT_NOT_FOUND",
        kind: "not-found",
      });
    }
    expect((await factsOf(path))["digest"]).toBe(before);
    expect(await runtime.operations.get("op")).toMatchObject({
      kind: "snapshot-create",
      state: "failed",
    });
    // The box itself is as it was.
    expect(await boxes.inspect("web")).toMatchObject({ state: "created" });
    await writeFile(path, "");
    await expect(boxes.createSnapshot("web", "s2")).rejects.toMatchObject({ kind: "corrupt" });
    await expect(boxes.listSnapshots("web")).rejects.toMatchObject({ kind: "corrupt" });
    expect(await readFile(path, "utf8")).toBe("");
  });
});

describe("resize", () => {
  test("grows the disk and its record, says that the file system stays, and never shrinks", async () => {
    const { boxes, box } = await withBox();
    const old = box.disks.user?.virtualSizeBytes ?? 0;
    const grown = await boxes.resize("web", 64 * mebibyte);
    expect(grown).toMatchObject({ oldSizeBytes: old, virtualSizeBytes: 64 * mebibyte });
    expect(grown.box.disks.user?.virtualSizeBytes).toBe(64 * mebibyte);
    expect(changesIn(grown.box)[0]).toContain(
      "the file system on it grows when the guest grows it",
    );
    expect(await boxes.resize("web", 64 * mebibyte)).toMatchObject({ oldSizeBytes: 64 * mebibyte });
    const before = await factsOf(box.disks.user?.path ?? "");
    await expect(boxes.resize("web", 32 * mebibyte)).rejects.toMatchObject({
      code: "BOX_DISK_SHRINKS",
      kind: "invalid-argument",
    });
    expect(await factsOf(box.disks.user?.path ?? "")).toEqual(before);
    // A disk that is made again has the size that it had.
    await rm(box.disks.user?.path ?? "");
    const again = await boxes.prepare("web", { recreateDisk: true });
    expect(again.container.disk.virtualSizeBytes).toBe(64 * mebibyte);
  });

  test("that was done but not recorded is recorded by the next prepare", async () => {
    const { runtime, home } = await withBox();
    await runtime.boxes.resize("web", 64 * mebibyte);
    await runtime.close();
    const database = new DatabaseSync(join(home, "state.db"));
    database.exec("UPDATE disks SET virtual_size_bytes = 1 WHERE role = 'user'");
    database.close();
    await using again = await Runtime.open({ home, images: new FakeImages() });
    const { box } = await again.boxes.prepare("web");
    expect(box.disks.user?.virtualSizeBytes).toBe(64 * mebibyte);
  });

  test("of a box whose disk was never made is refused", async () => {
    const { runtime, home } = await withBox();
    await runtime.close();
    const database = new DatabaseSync(join(home, "state.db"));
    database.exec("DELETE FROM disks");
    database.close();
    await using again = await Runtime.open({ home, images: new FakeImages() });
    await expect(again.boxes.resize("web", mebibyte)).rejects.toMatchObject({
      code: "BOX_DISK_NOT_MADE",
      hint: 'make it with "box prepare web"',
    });
  });
});

test("a change is refused while a box is being removed", async () => {
  const { runtime, home } = await withBox();
  const database = new DatabaseSync(join(home, "state.db"));
  database.exec("UPDATE boxes SET state = 'removing'");
  await expect(runtime.boxes.resize("web", mebibyte)).rejects.toMatchObject({
    code: "BOX_STATE_ILLEGAL",
  });
  database.exec(`UPDATE boxes SET state = 'running'; ${giveMachine()}`);
  await expect(runtime.boxes.clone("web")).rejects.toMatchObject({ code: "BOX_IN_USE" });
  database.close();
});
