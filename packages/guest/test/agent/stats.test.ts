import { statfsSync } from "node:fs";
import { availableParallelism, totalmem } from "node:os";
import { readStats } from "@box/guest/calls";
import { expect, test } from "vitest";
import { openCalls } from "../support/agent-calls.ts";
import { AgentProcess } from "../support/agent-process.ts";

test("the guest tells what its kernel does, and the size of the box's file system", async () => {
  await using agent = await AgentProcess.ready();
  const stats = await readStats(openCalls(agent, "agent").caller);
  const { blocks, bsize } = statfsSync("/");
  expect(stats).toMatchObject({
    diskBytes: blocks * bsize,
    memoryBytes: totalmem(),
    cpus: expect.any(Number),
  });
  expect(stats.cpus).toBeGreaterThanOrEqual(availableParallelism());
  expect(stats.uptimeMs).toBeGreaterThan(0);
});
