import { createServer, type Socket } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { AgentProcess } from "../support/agent-process.ts";

async function serve(onSocket: (socket: Socket) => void): Promise<number> {
  const sockets = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
    onSocket(socket);
  });
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  return typeof address === "object" && address !== null ? address.port : 0;
}

function connect(agent: AgentProcess, port: number): number {
  const streamId = agent.newId();
  agent.send({ type: "connect", streamId, port });
  return streamId;
}

test("bytes go both ways, and an end of one direction leaves the other open", async () => {
  // Answers only after the whole question: needs the half close.
  const port = await serve((socket) => {
    const parts: Buffer[] = [];
    socket.on("data", (part) => parts.push(part));
    socket.on("end", () => socket.end(`${Buffer.concat(parts).length} bytes`));
  });
  await using agent = await AgentProcess.ready();
  const id = connect(agent, port);
  for (let i = 0; i < 2; i++)
    agent.send({ type: "data", streamId: id, bytes: Buffer.alloc(30_000) });
  agent.send({ type: "eof", streamId: id });
  expect(await agent.result(id)).toMatchObject({ out: "60000 bytes", exitCode: 0, signal: 0 });
});

test("a server that ends first may still be sent to", async () => {
  let received = "";
  const port = await serve((socket) => {
    socket.end("hello");
    socket.on("data", (part) => {
      received += part.toString();
    });
  });
  await using agent = await AgentProcess.ready();
  const id = connect(agent, port);
  await agent.until(
    (message) => message.type === "end" && message.streamId === id && message.channel === "out",
  );
  agent.send({ type: "data", streamId: id, bytes: Buffer.from("late") });
  agent.send({ type: "eof", streamId: id });
  expect(await agent.result(id)).toMatchObject({ out: "hello", exitCode: 0 });
  await expect.poll(() => received).toBe("late");
});

test("a port on which nobody listens is told as refused", async () => {
  await using agent = await AgentProcess.ready();
  expect(await agent.result(connect(agent, 1))).toMatchObject({ failure: "refused", errno: 111 });
});

test("a hundred connections at once, and a large answer arrives whole", async () => {
  const port = await serve((socket) => socket.end(Buffer.alloc(100_000, "x")));
  await using agent = await AgentProcess.ready();
  const ids = Array.from({ length: 100 }, () => connect(agent, port));
  for (const id of ids) agent.send({ type: "eof", streamId: id });
  for (const id of ids) expect((await agent.result(id)).out.length).toBe(100_000);
});

test("cancelling resets the connection", async () => {
  let failure: unknown;
  const port = await serve((socket) => {
    socket.write("x");
    socket.on("error", (error) => {
      failure = error;
    });
  });
  await using agent = await AgentProcess.ready();
  const id = connect(agent, port);
  await agent.until(({ type }) => type === "out");
  agent.send({ type: "cancel", streamId: id });
  expect(await agent.result(id)).toMatchObject({ failure: "errno", errno: 125 });
  await expect.poll(() => failure).toMatchObject({ code: "ECONNRESET" });
});
