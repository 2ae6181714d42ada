import { expect, test } from "vitest";
import { AgentProcess } from "../support/agent-process.ts";

const terminal = { rows: 24, columns: 80 };

test("a terminal has a size, is told another, and its output is one stream", async () => {
  await using agent = await AgentProcess.ready();
  const script =
    "stty size; trap 'stty size; exit 5' WINCH; echo err >&2; while :; do sleep 0.01; done";
  const id = agent.exec(["sh", "-c", script], { terminal });
  await agent.until(() => agent.bytesOf(id, "out").toString().includes("err"));
  agent.send({ type: "resize", streamId: id, rows: 50, columns: 132 });
  expect(await agent.result(id)).toEqual({
    out: "24 80\r\nerr\r\n50 132\r\n",
    err: "",
    exitCode: 5,
    signal: 0,
  });
});

test("Ctrl-C interrupts what runs in it, Ctrl-D ends its input", async () => {
  await using agent = await AgentProcess.ready();
  const id = agent.exec(["sh", "-c", "echo up; exec sleep 300"], { terminal });
  await agent.until(() => agent.bytesOf(id, "out").length > 0);
  agent.send({ type: "data", streamId: id, bytes: Uint8Array.of(3) });
  expect(await agent.result(id)).toMatchObject({ exitCode: 130, signal: 2 });
  const cat = agent.exec(["cat"], { terminal });
  agent.send({ type: "data", streamId: cat, bytes: Buffer.from("line\n") });
  agent.send({ type: "eof", streamId: cat });
  expect(await agent.result(cat)).toMatchObject({ out: "line\r\nline\r\n", exitCode: 0 });
});

test("what is typed after an end of input is read by who comes next", async () => {
  await using agent = await AgentProcess.ready();
  const streamId = agent.exec(["sh", "-c", "cat; echo next; cat"], { terminal });
  const type = (text: string) => {
    agent.send({ type: "data", streamId, bytes: Buffer.from(text) });
    agent.send({ type: "eof", streamId });
  };
  type("1\n");
  await agent.until(() => agent.bytesOf(streamId, "out").includes("next"));
  type("2\n");
  expect((await agent.result(streamId)).out).toBe("1\r\n1\r\nnext\r\n2\r\n2\r\n");
});

test("it is the controlling terminal, and everything written to it arrives", async () => {
  await using agent = await AgentProcess.ready();
  const script = "tty; echo x > /dev/tty; head -c 200000 /dev/zero | tr '\\0' a";
  const result = await agent.run(["sh", "-c", script], { terminal });
  expect(result.exitCode).toBe(0);
  expect(result.out).toMatch(/^\/dev\/pts\/\d+\r\nx\r\na{200000}$/);
});

test("a child that keeps a terminal open does not keep the stream", async () => {
  await using agent = await AgentProcess.ready();
  const result = await agent.run(["sh", "-c", "trap '' HUP; sleep 300 & echo $!"], { terminal });
  expect(result).toMatchObject({ exitCode: 0 });
  process.kill(Number(result.out), "SIGKILL");
});
