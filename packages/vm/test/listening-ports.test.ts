import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { ListeningPorts } from "../src/listening-ports.ts";

/** Ports that answer with the number of the guest's port. */
function answering(): ListeningPorts {
  const ports = new ListeningPorts((socket, guestPort) => socket.end(String(guestPort)));
  onTestFinished(() => ports.close());
  return ports;
}

async function takenPort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  onTestFinished(() => void server.close());
  await once(server, "listening");
  return (server.address() as { readonly port: number }).port;
}

async function answerOf(port: number): Promise<string> {
  const socket = connect(port, "127.0.0.1");
  const chunks: Buffer[] = [];
  for await (const chunk of socket) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
}

test("are listened on until they are closed", async () => {
  const ports = answering();
  await ports.add([
    { hostPort: 0, guestPort: 80 },
    { hostPort: 0, guestPort: 81 },
  ]);
  const [first, second] = ports.open.map(({ hostPort }) => hostPort);
  expect(await answerOf(first ?? 0)).toBe("80");
  expect(await answerOf(second ?? 0)).toBe("81");
  ports.close();
  expect(ports.open).toEqual([]);
  await expect(answerOf(first ?? 0)).rejects.toMatchObject({ code: "ECONNREFUSED" });
});

test("take 100 connections together, so that the guest has room for commands, and more when some end", async () => {
  const served: Socket[] = [];
  const ports = new ListeningPorts((socket) => served.push(socket));
  await ports.add([
    { hostPort: 0, guestPort: 80 },
    { hostPort: 0, guestPort: 81 },
  ]);
  const [first = 0, second = 0] = ports.open.map(({ hostPort }) => hostPort);
  const sockets: Socket[] = [];
  onTestFinished(() => {
    ports.close();
    for (const socket of [...served, ...sockets]) socket.destroy();
  });
  const open = async (port: number) => {
    const socket = connect(port, "127.0.0.1");
    socket.on("error", () => {});
    sockets.push(socket);
    await once(socket, "connect");
    return socket;
  };
  for (let i = 0; i < 100; i++) await open(i % 2 === 0 ? first : second);
  await expect.poll(() => served.length).toBe(100);
  await once((await open(second)).resume(), "close");
  expect(served).toHaveLength(100);
  const [ended] = served;
  await once(ended?.destroy() as Socket, "close");
  await open(second);
  await expect.poll(() => served.length).toBe(101);
});

test("are all listened on, or none", async () => {
  const free = createServer().listen(0, "127.0.0.1");
  await once(free, "listening");
  const { port } = free.address() as { readonly port: number };
  await new Promise((resolve) => free.close(resolve));
  const ports = answering();
  const added = ports.add([
    { hostPort: port, guestPort: 80 },
    { hostPort: await takenPort(), guestPort: 81 },
  ]);
  await expect(added).rejects.toMatchObject({ code: "VM_PORT_IN_USE" });
  expect(ports.open).toEqual([]);
  await expect(answerOf(port)).rejects.toMatchObject({ code: "ECONNREFUSED" });
});
