import { readFileSync } from "node:fs";
import { encodeHostMessage, helloMagic, protocolVersion } from "@box/guest/protocol";
import { expect, test } from "vitest";
import { badHostVectors, bytesOf } from "../../fixtures/protocol/vectors.ts";
import { AgentProcess } from "../support/agent-process.ts";

const hello = {
  type: "hello",
  minVersion: protocolVersion,
  maxVersion: protocolVersion,
  graceMs: 0,
} as const;

test.each(badHostVectors.map((vector) => [vector.title, vector] as const))(
  "%s ends the session with a reason, and the next one begins",
  async (_, vector) => {
    await using agent = await AgentProcess.ready();
    agent.sendBytes(bytesOf(vector));
    expect(await agent.sessionFailure()).toMatchObject({ failure: "protocol" });
    await agent.hello();
    expect(await agent.run(["true"])).toMatchObject({ exitCode: 0 });
  },
);

test("a frame before HELLO is refused", async () => {
  await using agent = await AgentProcess.start();
  agent.send({ type: "ping", streamId: 1, bytes: Uint8Array.of(1) });
  expect(await agent.sessionFailure()).toMatchObject({
    failure: "protocol",
    message: "a session begins with HELLO",
  });
});

test("random bytes never silence it", async () => {
  const random = mulberry32(7);
  await using agent = await AgentProcess.start();
  for (let round = 0; round < 40; round++) {
    const noise = Buffer.from(
      Uint8Array.from({ length: Math.floor(random() * 3000) }, () => random() * 256),
    );
    // The magic without its frame's header is no session.
    agent.sendBytes(Buffer.concat([Buffer.alloc(9, 0xee), noise, Buffer.from(helloMagic)]));
    await agent.hello();
  }
  expect(await agent.run(["echo", "still here"])).toMatchObject({ out: "still here\n" });
});

test("frames with random fields are answered or ignored, never fatal", async () => {
  const random = mulberry32(11);
  const below = (limit: number) => Math.floor(random() * limit);
  await using agent = await AgentProcess.ready();
  for (let round = 0; round < 300; round++) {
    // Neither SHUTDOWN nor a signal that would end it for others' sake.
    const type = [2, 3, 4, 5, 6, 8, 10, 13, 14][below(9)] ?? 2;
    const payload = Buffer.from(Uint8Array.from({ length: below(90) }, () => random() * 256));
    const frame = Buffer.alloc(9 + payload.length);
    frame.writeUInt32LE(payload.length);
    frame.writeUInt8(type, 4);
    frame.writeUInt32LE(below(4), 5);
    payload.copy(frame, 9);
    agent.sendBytes(frame);
    if (round % 3 === 0) await agent.hello();
  }
  await agent.hello();
  expect(await agent.run(["echo", "still here"])).toMatchObject({ out: "still here\n" });
});

test("a HELLO that comes in single bytes is one", async () => {
  await using agent = await AgentProcess.start();
  for (const byte of encodeHostMessage({ ...hello, nonce: 5n }))
    agent.sendBytes(Uint8Array.of(byte));
  expect(await agent.until(({ type }) => type === "ready")).toMatchObject({
    version: protocolVersion,
    nonce: 5n,
  });
});

test("a new HELLO ends what the session before had open", async () => {
  await using agent = await AgentProcess.ready();
  const id = agent.exec(["sh", "-c", "echo $$; exec sleep 300"]);
  await agent.until(({ type }) => type === "out");
  const pid = Number(agent.bytesOf(id, "out").toString());
  await agent.hello();
  await expect.poll(() => isAlive(pid)).toBe(false);
  // The stream is free again, and nothing more was said of it.
  expect(agent.messages.filter(({ type }) => type === "exit")).toEqual([]);
});

test.each([2 ** 30 + 1, 2 ** 32 - 1])(
  "credit beyond the limit ends the session: %i",
  async (bytes) => {
    await using agent = await AgentProcess.ready();
    const streamId = agent.exec(["sleep", "300"]);
    await agent.until(({ type }) => type === "started");
    agent.send({ type: "credit", streamId, channel: "out", bytes });
    expect(await agent.sessionFailure()).toMatchObject({ failure: "protocol" });
  },
);

test("without a common version it says so", async () => {
  await using agent = await AgentProcess.start();
  agent.send({ ...hello, minVersion: protocolVersion + 1, maxVersion: 9, nonce: 1n });
  expect(await agent.sessionFailure()).toMatchObject({
    failure: "version",
    message: `the agent speaks version ${protocolVersion} of the protocol`,
  });
  agent.send({ ...hello, minVersion: 0, maxVersion: 9, nonce: 2n });
  expect(await agent.until(({ type }) => type === "ready")).toMatchObject({
    nonce: 2n,
  });
});

test("a ping comes back", async () => {
  await using agent = await AgentProcess.start();
  await agent.hello();
  const bytes = Buffer.alloc(64, 7);
  agent.send({ type: "ping", streamId: 3, bytes });
  expect(await agent.until(({ type }) => type === "pong")).toMatchObject({
    streamId: 3,
    bytes: new Uint8Array(bytes),
  });
});

test("more streams than there may be are refused one by one", async () => {
  await using agent = await AgentProcess.ready();
  const ids = Array.from({ length: 130 }, () => agent.exec(["cat"]));
  const last = await agent.result(ids.at(-1) ?? 0);
  expect(last).toMatchObject({ failure: "too-many" });
  for (const id of ids.slice(0, 128)) agent.send({ type: "eof", streamId: id });
  expect(await agent.result(ids[0] ?? 0)).toMatchObject({ exitCode: 0 });
  await agent.result(ids[127] ?? 0);
  expect(await agent.run(["true"])).toMatchObject({ exitCode: 0 });
});

test("frames of a stream that is over are ignored, one that is open cannot be opened", async () => {
  await using agent = await AgentProcess.ready();
  const over = agent.exec(["true"]);
  await agent.result(over);
  agent.send({ type: "data", streamId: over, bytes: Buffer.alloc(65536) });
  agent.send({ type: "signal", streamId: over, signal: 9 });
  agent.send({ type: "credit", streamId: over, channel: "out", bytes: 1 });
  const open = agent.exec(["sleep", "300"]);
  await agent.until((message) => message.type === "started" && message.streamId === open);
  agent.send({ type: "connect", streamId: open, port: 1 });
  expect(await agent.sessionFailure()).toMatchObject({
    message: "the stream is open already",
  });
});

test("shutting down ends commands by SIGTERM, tells how they ended, and ends the agent", async () => {
  await using agent = await AgentProcess.ready();
  const script = "trap 'echo bye; exit 3' TERM; echo up; while :; do sleep 0.01; done";
  const id = agent.exec(["sh", "-c", script]);
  await agent.until(({ type }) => type === "out");
  agent.send({ type: "shutdown", streamId: agent.newId(), graceMs: 10_000 });
  expect(await agent.result(id)).toMatchObject({ out: "up\nbye\n", exitCode: 3 });
  expect(await agent.exited).toBe(0);
});

test("shutting down waits for nothing when nothing runs", async () => {
  await using agent = await AgentProcess.ready();
  const began = Date.now();
  agent.send({ type: "shutdown", streamId: agent.newId(), graceMs: 60_000 });
  expect(await agent.exited).toBe(0);
  expect(Date.now() - began).toBeLessThan(20_000);
});

test("nothing is begun any more while it shuts down", async () => {
  await using agent = await AgentProcess.ready();
  agent.exec(["sh", "-c", "trap '' TERM; echo up; while :; do sleep 0.01; done"]);
  await agent.until(({ type }) => type === "out");
  agent.send({ type: "shutdown", streamId: agent.newId(), graceMs: 60_000 });
  expect(await agent.run(["true"])).toMatchObject({ failure: "not-ready" });
  const streamId = agent.newId();
  agent.send({ type: "connect", streamId, port: 1 });
  expect(await agent.result(streamId)).toMatchObject({ failure: "not-ready" });
});

test("what ignores SIGTERM is killed after the grace time", async () => {
  await using agent = await AgentProcess.ready();
  const id = agent.exec(["sh", "-c", "trap '' TERM; echo up; while :; do sleep 0.01; done"]);
  await agent.until(({ type }) => type === "out");
  agent.send({ type: "shutdown", streamId: agent.newId(), graceMs: 50 });
  expect(await agent.result(id)).toMatchObject({ exitCode: 137, signal: 9 });
  expect(await agent.exited).toBe(0);
});

test("a host that goes away ends what it had open", async () => {
  await using agent = await AgentProcess.ready();
  const id = agent.exec(["sh", "-c", "echo $$; exec sleep 300"]);
  await agent.until(({ type }) => type === "out");
  const pid = Number(agent.bytesOf(id, "out").toString());
  agent.hangUp();
  expect(await agent.exited).toBe(0);
  await expect.poll(() => isAlive(pid)).toBe(false);
});

/** Whether a process runs; one that has ended may wait for a parent that never collects it. */
function isAlive(pid: number): boolean {
  try {
    return !/^\d+ \(.*\) Z/.test(readFileSync(`/proc/${pid}/stat`, "latin1"));
  } catch {
    return false;
  }
}

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
