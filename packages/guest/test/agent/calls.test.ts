import { existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { CallBatch, type CallOptions } from "@box/guest/calls";
import { expect, test } from "vitest";
import { openCalls } from "../support/agent-calls.ts";
import { AgentProcess } from "../support/agent-process.ts";

const fromRoot = -100;
const always: CallOptions = { goesOn: "always" };
const [noEntry, badAddress, noSuchCall, cancelled] = [-2, -14, -38, -125];

test("calls are carried out in order, and one has the result of another", async () => {
  await using agent = await AgentProcess.ready();
  const { caller } = openCalls(agent);
  const batch = new CallBatch();
  const folder = batch.word();
  const how = batch.numbers(0, 0, 0);
  batch.call("openat2", [fromRoot, batch.text(agent.folder), how, 24], { into: folder });
  batch.call("mkdirat", [folder, batch.text("made"), 0o755]);
  batch.call("mkdirat", [folder, batch.text("made"), 0o755], { goesOn: [17] });
  batch.call("close", [folder]);
  const results = await caller.run(batch);
  expect(results.map(({ value }) => value)).toEqual([expect.any(Number), 0, -17, 0]);
  expect(existsSync(join(agent.folder, "made"))).toBe(true);
});

test("after a failure that is not expected nothing is done, and the process ends", async () => {
  await using agent = await AgentProcess.ready();
  const { caller, streamId } = openCalls(agent);
  const batch = new CallBatch();
  const what = { what: "cannot remove", path: Buffer.from("nope") };
  batch.call("unlinkat", [fromRoot, batch.text(join(agent.folder, "nope")), 0], what);
  batch.call("mkdirat", [fromRoot, batch.text(join(agent.folder, "made")), 0o755]);
  const later = new CallBatch();
  later.call("mkdirat", [fromRoot, later.text(join(agent.folder, "later")), 0o755]);
  const runs = [caller.run(batch), caller.run(later)];
  for (const run of runs) {
    await expect(run).rejects.toMatchObject({
      failure: "not-found",
      errno: 2,
      message: "cannot remove nope: No such file or directory",
    });
  }
  expect(await agent.result(streamId)).toMatchObject({ exitCode: 1 });
  expect(["made", "later"].filter((name) => existsSync(join(agent.folder, name)))).toEqual([]);
});

test("a call is left out when its place has a result", async () => {
  await using agent = await AgentProcess.ready();
  mkdirSync(join(agent.folder, "there"));
  const { caller } = openCalls(agent);
  const batch = new CallBatch();
  const into = batch.word();
  const open = (name: string, mayBeDone: boolean) =>
    batch.call(
      "openat2",
      [fromRoot, batch.text(join(agent.folder, name)), batch.numbers(0, 0, 0), 24],
      { ...always, into, ...(mayBeDone ? { unless: into } : {}) },
    );
  open("missing", false);
  open("there", true);
  open("missing", true);
  const [first, second, third] = await caller.run(batch);
  expect(first?.value).toBe(noEntry);
  expect(second?.value).toBeGreaterThan(2);
  expect(third?.value).toBe(second?.value);
});

test("what lies outside of the memory is not there, and places wrap at its end", async () => {
  await using agent = await AgentProcess.ready();
  const { caller } = openCalls(agent);
  const batch = new CallBatch();
  for (const address of [0, 1, 0x10_0010_0000, 0xf_ffff_f000, 2n ** 63n - 1n]) {
    batch.call("readlinkat", [fromRoot, address, address, 100], always);
  }
  batch.call("mkdirat", [{ at: 0xffff_fff8 }, 0, 0], { ...always, into: { at: 0xffff_ffff } });
  const results = await caller.run(batch);
  expect(results.map(({ value }) => value)).toEqual(Array(6).fill(badAddress));
});

test.each([
  ["a length beyond the memory", [2 ** 20 + 1, 0]],
  ["more calls than bytes", [64, 2]],
  ["lengths of 4 GiB", [2 ** 32 - 1, 2 ** 32 - 1]],
])("a batch with %s ends its process alone", async (_, [length = 0, count = 0]) => {
  await using agent = await AgentProcess.ready();
  const calls = openCalls(agent);
  const head = Buffer.alloc(8 + 64);
  head.writeUInt32LE(length);
  head.writeUInt32LE(count, 4);
  await calls.write(head);
  expect(await agent.result(calls.streamId)).toMatchObject({ exitCode: 2 });
  expect(await agent.run(["echo", "still here"])).toMatchObject({ out: "still here\n" });
});

test("random batches never silence the agent, and each call of one that is sound is answered", async () => {
  const random = mulberry32(5);
  const below = (limit: number) => Math.floor(random() * limit);
  await using agent = await AgentProcess.ready();
  for (let round = 0; round < 60; round++) {
    const calls = openCalls(agent);
    const count = 1 + below(20);
    const bytes = Buffer.from(Uint8Array.from({ length: 8 + 64 * count }, () => random() * 256));
    bytes.writeUInt32LE(64 * count);
    bytes.writeUInt32LE(count, 4);
    for (let index = 0; index < count; index++) {
      const at = 8 + 64 * index;
      // Calls that change nothing, and some that do not exist; what they tell is bounded.
      bytes.writeUInt16LE([0, 5, 6, 7, 200 + below(60_000)][below(5)] ?? 0, at);
      bytes.writeUInt32LE(1, at + 4);
      bytes.writeInt32LE(below(3) === 0 ? -1 : below(1000), at + 16);
    }
    await calls.write(bytes);
    calls.end();
    const { exitCode } = await agent.result(calls.streamId);
    expect(exitCode).toBe(0);
    expect(agent.bytesOf(calls.streamId, "out").length).toBeGreaterThanOrEqual(8 * count);
  }
  expect(await agent.run(["echo", "still here"])).toMatchObject({ out: "still here\n" });
});

test("a call that does not exist is answered", async () => {
  await using agent = await AgentProcess.ready();
  const calls = openCalls(agent);
  const batch = new CallBatch();
  batch.call("close", [0]);
  batch.call("close", [0]);
  const bytes = Buffer.from(batch.encode());
  bytes.writeUInt16LE(15_000, bytes.length - 128);
  await calls.write(bytes);
  calls.end();
  await agent.result(calls.streamId);
  const told = agent.bytesOf(calls.streamId, "out");
  expect([told.readBigInt64LE(0), told.readBigInt64LE(8)].map(Number)).toEqual([
    noSuchCall,
    cancelled,
  ]);
});

/** Numbers from a seed, so that a failure can be had again. */
function mulberry32(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}
