import { readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { acquireLock } from "@box/io/node";
import { Runtime } from "@box/runtime";
import { expect, test } from "vitest";
import { FakeImages } from "./fake-images.ts";
import { openTestRuntime } from "./test-home.ts";

test("opening a home removes the locks of boxes that are not there, and what lies beside them", async () => {
  const { runtime, home } = await openTestRuntime();
  const { box } = await runtime.boxes.create({ image: "app", name: "web" });
  const gone = join(home, "locks", `box-${"a".repeat(32)}.lock`);
  const sideOnly = join(home, "locks", `box-${"b".repeat(32)}.lock.holder`);
  for (const path of [gone, `${gone}-journal`, `${gone}.holder`, sideOnly])
    await writeFile(path, "");
  await writeFile(join(home, "locks", "box-x.lock"), "");

  await using _again = await Runtime.open({ home, images: new FakeImages() });
  const names = (await readdir(join(home, "locks"))).filter((name) => name.startsWith("box-"));
  // What nobody of us has made is left alone.
  expect(names).toEqual([`box-${box.id}.lock`, "box-x.lock"]);
});

test("a lock that somebody holds stays: its box is about to be made", async () => {
  const { home } = await openTestRuntime();
  const path = join(home, "locks", `box-${"c".repeat(32)}.lock`);
  await using _held = await acquireLock(path, { command: "creating c" });
  await using _again = await Runtime.open({ home, images: new FakeImages() });
  expect(await readdir(join(home, "locks"))).toContain(`box-${"c".repeat(32)}.lock`);
});
