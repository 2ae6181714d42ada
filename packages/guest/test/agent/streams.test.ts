import { expect, test } from "vitest";
import { AgentProcess } from "../support/agent-process.ts";

const MiB = 1024 * 1024;

test("output stops at the credit, and other streams go on", async () => {
  await using agent = await AgentProcess.ready();
  agent.grants = false;
  const flood = agent.exec([
    "sh",
    "-c",
    "head -c 1000000 /dev/zero; head -c 1000000 /dev/zero >&2",
  ]);
  await agent.until(() => agent.bytesOf(flood, "out").length === 65536);
  expect((await agent.run(["echo", "other"])).out).toBe("other\n");
  expect(agent.bytesOf(flood, "out").length).toBe(65536);
  // Half a megabyte more, and then everything.
  agent.send({ type: "credit", streamId: flood, channel: "out", bytes: 500_000 });
  await agent.until(() => agent.bytesOf(flood, "out").length === 565_536);
  agent.send({ type: "credit", streamId: flood, channel: "out", bytes: MiB });
  agent.send({ type: "credit", streamId: flood, channel: "err", bytes: 2 * MiB });
  const result = await agent.result(flood);
  expect([result.out.length, result.err.length, result.exitCode]).toEqual([
    1_000_000, 1_000_000, 0,
  ]);
});

test("a command's end is told although its output still waits", async () => {
  await using agent = await AgentProcess.ready();
  agent.grants = false;
  // As much as the credit and then what a pipe holds.
  const id = agent.exec(["head", "-c", `${65536 + 60_000}`, "/dev/zero"]);
  await agent.until((message) => message.type === "exit" && message.streamId === id);
  const ends = () =>
    agent.messages.filter((message) => message.type === "end" && message.channel === "out");
  expect(ends()).toEqual([]);
  agent.send({ type: "credit", streamId: id, channel: "out", bytes: MiB });
  expect((await agent.result(id)).out.length).toBe(65536 + 60_000);
  expect(ends()).toHaveLength(1);
});

test("a command whose output is exactly the credit is over without more", async () => {
  await using agent = await AgentProcess.ready();
  agent.grants = false;
  const { out } = await agent.run(["sh", "-c", "head -c 65536 /dev/zero; sleep 0.3"]);
  expect(out.length).toBe(65536);
});

test("data beyond the credit ends the session", async () => {
  await using agent = await AgentProcess.ready();
  const id = agent.exec(["sleep", "300"]);
  // A pipe and the agent take one window; nothing of it was granted again but what went into the pipe.
  for (let sent = 0; sent < 5; sent++) {
    agent.send({ type: "data", streamId: id, bytes: Buffer.alloc(65536) });
  }
  expect(await agent.sessionFailure()).toMatchObject({ failure: "protocol" });
});

test("credit beyond what may be outstanding ends the session", async () => {
  await using agent = await AgentProcess.ready();
  const id = agent.exec(["sleep", "300"]);
  agent.send({ type: "credit", streamId: id, channel: "out", bytes: 2 ** 30 });
  expect(await agent.sessionFailure()).toMatchObject({ failure: "protocol" });
});

test("input that nobody reads is told of once, and takes no credit away", async () => {
  await using agent = await AgentProcess.ready();
  const id = agent.exec(["sh", "-c", "exec <&-; echo closed; sleep 300"]);
  await agent.until(({ type }) => type === "closed");
  for (let sent = 0; sent < 40; sent++) {
    const before = credits(agent, id);
    agent.send({ type: "data", streamId: id, bytes: Buffer.alloc(32768) });
    await agent.until(() => credits(agent, id) > before);
  }
  expect(credits(agent, id)).toBe(40 * 32768);
  expect(agent.messages.filter(({ type }) => type === "closed")).toHaveLength(1);
});

test("input is told to be closed to one who reads no more of a full pipe", async () => {
  await using agent = await AgentProcess.ready();
  const id = agent.exec(["sh", "-c", "head -c 1 >/dev/null; exec <&-; sleep 300"]);
  agent.send({ type: "data", streamId: id, bytes: Buffer.alloc(65536) });
  await agent.until(({ type }) => type === "closed");
  await agent.until(() => credits(agent, id) === 65536);
});

test("a hundred commands at once each get their own output", async () => {
  await using agent = await AgentProcess.ready();
  const results = await Promise.all(
    Array.from({ length: 100 }, (_, index) =>
      agent.run(["sh", "-c", `echo ${index}; exit ${index}`]),
    ),
  );
  results.forEach((result, index) => {
    expect(result).toMatchObject({ out: `${index}\n`, exitCode: index });
  });
});

function credits(agent: AgentProcess, streamId: number): number {
  return agent.messages.reduce(
    (sum, message) =>
      message.type === "credit" && message.streamId === streamId ? sum + message.bytes : sum,
    0,
  );
}
