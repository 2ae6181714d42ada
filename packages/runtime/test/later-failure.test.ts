import { readdir, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { defineTask, settlePlan } from "@box/pipeline";
import { initPlan, layoutKey, Runtime } from "@box/runtime";
import { describe, expect, onTestFinished, test } from "vitest";
import { factsOf } from "./disk-facts.ts";
import { FakeImages } from "./fake-images.ts";
import { giveMachine } from "./live-machine.ts";
import { openTestRuntime } from "./test-home.ts";

const later = defineTask({
  name: "vmm_spawn",
  needs: [layoutKey],
  run: () => {
    throw new Error("no virtual machine");
  },
});

/** Runs the init pipeline with a task after it that fails. */
async function runWithLaterFailure(runtime: Runtime) {
  const { createdAt, updatedAt, ...box } = await runtime.boxes.inspect("web");
  const record = { ...box, createdMs: Date.parse(createdAt), updatedMs: Date.parse(updatedAt) };
  const result = await settlePlan(initPlan("start", runtime.tasks).stage([later]), {
    inputs: { box: record, policy: { recreateDisk: false, pull: "missing" } },
  });
  expect(result).toMatchObject({ ok: false, error: { message: "no virtual machine" } });
  expect(result).toMatchObject({ cleanUpErrors: [] });
}

async function createdBox() {
  const { runtime, home } = await openTestRuntime();
  const { box } = await runtime.boxes.create({ image: "app", name: "web" });
  return { runtime, home, guest: box.disks.guest?.path ?? "", user: box.disks.user?.path ?? "" };
}

/** Changes the state behind the runtime's back, and opens it again. */
async function withChangedState(home: string, runtime: Runtime, sql: string) {
  await runtime.close();
  const database = new DatabaseSync(join(home, "state.db"));
  database.exec(sql);
  database.close();
  const images = new FakeImages();
  const again = await Runtime.open({ home, images });
  onTestFinished(() => again.close());
  return { runtime: again, images };
}

describe("a later task's failure", () => {
  test("never removes a kept overlay", async () => {
    const { runtime, guest, user } = await createdBox();
    const before = [await factsOf(guest), await factsOf(user)];
    await runWithLaterFailure(runtime);
    expect([await factsOf(guest), await factsOf(user)]).toEqual(before);
  });

  test("does not remove a disk that this run put in the place of a corrupt one", async () => {
    const { runtime, guest } = await createdBox();
    await writeFile(guest, "garbage");
    await runWithLaterFailure(runtime);
    expect(await readdir(dirname(guest))).toEqual(["disk.qcow2", "guest-rootfs.qcow2"]);
  });

  test("removes disks that this run made for the first time, and forgets them", async () => {
    const first = await createdBox();
    const { runtime } = await withChangedState(first.home, first.runtime, "DELETE FROM disks");
    await rm(dirname(first.guest), { recursive: true });
    await runWithLaterFailure(runtime);
    const { disks, directory } = await runtime.boxes.inspect("web");
    expect(disks).toEqual({});
    expect(await readdir(directory)).toEqual([]);
    const { container } = await runtime.boxes.prepare("web");
    expect(container.disk.outcome).toBe("created");
  });
});

describe("a disk that was made but not recorded", () => {
  test("is kept and recorded, and what the image says is asked for again", async () => {
    const first = await createdBox();
    const before = [await factsOf(first.guest), await factsOf(first.user)];
    const { runtime, images } = await withChangedState(
      first.home,
      first.runtime,
      `DELETE FROM disks; UPDATE boxes SET image_config = NULL, guest_rootfs = '{"type":"disk"}'`,
    );
    const { container, guest, box } = await runtime.boxes.prepare("web");
    expect(container).toMatchObject({ disk: { outcome: "kept" }, config: { command: ["/hello"] } });
    expect(guest).toMatchObject({ disk: { outcome: "kept" }, environment: [["PATH", "/bin"]] });
    expect(images.asked.some((asked) => asked.startsWith("app@sha256:"))).toBe(true);
    expect(box.disks).toMatchObject({
      user: { base: { format: "raw" } },
      guest: { base: { format: "raw" } },
    });
    expect([await factsOf(first.guest), await factsOf(first.user)]).toEqual(before);
  });
});

describe("a box that a virtual machine may be using", () => {
  test.each([
    ["starting", "starting"],
    ["running", "running"],
    // Who was stopping it is dead, and it runs.
    ["stopping", "running"],
  ])("(%s) is neither prepared nor removed", async (state, told) => {
    const first = await createdBox();
    const { runtime } = await withChangedState(
      first.home,
      first.runtime,
      `UPDATE boxes SET state = '${state}'; ${giveMachine()}`,
    );
    for (const call of ["prepare", "remove"] as const) {
      await expect(runtime.boxes[call]("web")).rejects.toMatchObject({
        code: "BOX_IN_USE",
        message: `box web is ${told}`,
      });
    }
    expect(await readdir(dirname(first.guest))).toHaveLength(2);
  });
});
