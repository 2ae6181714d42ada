import { statfsSync } from "node:fs";
import { availableParallelism, totalmem } from "node:os";
import { parseGuestStats } from "@box/guest/protocol";
import { expect, test } from "vitest";
import { AgentProcess } from "../support/agent-process.ts";

test("the agent tells what the kernel does, and the size of the box's file system", async () => {
  await using agent = await AgentProcess.ready();
  const streamId = agent.newId();
  agent.send({ type: "stats", streamId });
  const answer = await agent.until(({ type }) => type === "stats");
  if (answer.type !== "stats") throw new Error("no stats");
  const { blocks, bsize } = statfsSync("/");
  const stats = parseGuestStats(answer.text);
  expect(stats).toMatchObject({
    diskBytes: blocks * bsize,
    memoryBytes: totalmem(),
    cpus: expect.any(Number),
  });
  expect(stats.cpus).toBeGreaterThanOrEqual(availableParallelism());
  expect(stats.uptimeMs).toBeGreaterThan(0);
});

test("before the disks are mounted nothing is told", async () => {
  await using agent = await AgentProcess.start();
  await agent.hello();
  const streamId = agent.newId();
  agent.send({ type: "stats", streamId });
  expect(await agent.result(streamId)).toMatchObject({ failure: "not-ready" });
});
