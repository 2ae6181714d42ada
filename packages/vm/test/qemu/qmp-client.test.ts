import { spawn } from "node:child_process";
import { once } from "node:events";
import { type Duplex, duplexPair } from "node:stream";
import { QmpClient, type QmpEvent } from "@box/vm/qemu";
import { describe, expect, onTestFinished, test } from "vitest";
import { qemuPath } from "./oracle.ts";

const greeting =
  '{"QMP": {"version": {"qemu": {"micro": 22, "minor": 2, "major": 7}, "package": ""}, "capabilities": ["oob"]}}\r\n';
const timestamp = { seconds: 1, microseconds: 2 };

/** A monitor that says what a test wants. */
function fakeMonitor(reply: (command: { execute: string; id: number }, peer: Duplex) => void) {
  const [own, peer] = duplexPair();
  const events: QmpEvent[] = [];
  const client = new QmpClient(own, { onEvent: (event) => events.push(event), timeoutMs: 2000 });
  onTestFinished(() => client.close());
  let text = "";
  peer.on("data", (chunk: Buffer) => {
    text += chunk.toString();
    const lines = text.split("\n");
    text = lines.pop() ?? "";
    for (const line of lines) reply(JSON.parse(line), peer);
  });
  return { client, peer, events };
}

function answer(peer: Duplex, value: object): void {
  peer.write(`${JSON.stringify(value)}\r\n`);
}

describe("QEMU's monitor", () => {
  test("is ready after its greeting and the client's capabilities", async () => {
    const asked: string[] = [];
    const { client, peer } = fakeMonitor(({ execute, id }, monitor) => {
      asked.push(execute);
      answer(monitor, { return: {}, id });
    });
    peer.write(greeting);
    expect(await client.negotiate()).toBe("7.2.22");
    expect(asked).toEqual(["qmp_capabilities"]);
  });

  test("answers by id, in whatever order, in whatever pieces", async () => {
    const ids: number[] = [];
    const { client, peer } = fakeMonitor(({ id }) => ids.push(id));
    const [first, second] = [client.execute("a"), client.execute("b")];
    await expect.poll(() => ids.length).toBe(2);
    const text = `{"return":"two","id":${ids[1]}}\n{"return":"one","id":${ids[0]}}\n`;
    for (const byte of Buffer.from(text)) peer.write(Buffer.of(byte));
    expect(await Promise.all([first, second])).toEqual(["one", "two"]);
  });

  test("refuses a command with its reason, and goes on", async () => {
    const { client } = fakeMonitor(({ execute, id }, monitor) => {
      const error = { class: "CommandNotFound", desc: "no such command" };
      answer(monitor, execute === "bad" ? { error, id } : { return: 1, id });
    });
    await expect(client.execute("bad")).rejects.toMatchObject({
      failure: "refused",
      message: expect.stringContaining("no such command"),
    });
    expect(await client.execute("good")).toBe(1);
  });

  test("that does not answer is a time-out, and its late answer is nobody's", async () => {
    let late = 0;
    const { client, peer } = fakeMonitor(({ execute, id }, monitor) => {
      if (execute === "slow") late = id;
      else answer(monitor, { return: "quick", id });
    });
    const slow = client.execute("slow", {}, { timeoutMs: 20 });
    await expect(slow).rejects.toMatchObject({ failure: "timeout" });
    answer(peer, { return: "slow", id: late });
    expect(await client.execute("quick")).toBe("quick");
    await expect(client.negotiate({ timeoutMs: 20 })).rejects.toMatchObject({ failure: "timeout" });
  });

  test("tells the events that are known, and passes over those that are not", async () => {
    const { client, peer, events } = fakeMonitor(({ id }, monitor) =>
      answer(monitor, { return: {}, id }),
    );
    const shutdown = { guest: true, reason: "guest-shutdown" };
    answer(peer, { event: "VSERPORT_CHANGE", timestamp, data: { id: "x", open: true } });
    answer(peer, { event: "SHUTDOWN", timestamp, data: shutdown });
    answer(peer, { event: "STOP", timestamp });
    await client.execute("ping");
    expect(events).toEqual([
      { event: "SHUTDOWN", timestamp, data: shutdown },
      { event: "STOP", timestamp },
    ]);
  });

  test.each([
    ["a line that is no JSON", "hello\n"],
    ["a number", "1\n"],
    ["a reply without an id", '{"return":{}}\n'],
    ["an event that lacks what it must have", '{"event":"SHUTDOWN","timestamp":{}}\n'],
    [
      "a known event with other data",
      `{"event":"SHUTDOWN","timestamp":${JSON.stringify(timestamp)}}\n`,
    ],
    ["a line without an end", "x".repeat(1024 * 1024 + 1)],
  ])("is given up after %s", async (_, text) => {
    const { client, peer } = fakeMonitor(() => {});
    const waiting = client.execute("query-status");
    peer.write(text);
    await expect(waiting).rejects.toMatchObject({ failure: "protocol" });
    await expect(client.execute("quit")).rejects.toMatchObject({ failure: "protocol" });
  });

  test("that goes away ends what waits", async () => {
    const { client, peer } = fakeMonitor(() => {});
    const waiting = client.execute("query-status");
    peer.end();
    await expect(waiting).rejects.toMatchObject({ failure: "closed" });
    await expect(client.negotiate()).rejects.toMatchObject({ failure: "closed" });
  });
});

test.runIf(qemuPath)(
  "a real QEMU without a disk answers, and quits when it is told to",
  async () => {
    const words = ["-nodefaults", "-no-user-config", "-display", "none", "-machine", "none"];
    const monitor = ["-chardev", "socket,id=q,fd=3", "-mon", "chardev=q,mode=control"];
    const child = spawn(String(qemuPath), [...words, ...monitor], {
      stdio: ["ignore", "ignore", "inherit", "pipe"],
    });
    const exited = once(child, "exit");
    onTestFinished(() => void child.kill("SIGKILL"));
    const events: QmpEvent[] = [];
    const client = new QmpClient(child.stdio[3] as Duplex, {
      onEvent: (event) => events.push(event),
    });
    expect(await client.negotiate()).toMatch(/^\d+\.\d+\.\d+$/);
    expect(await client.execute("query-status")).toMatchObject({ running: true });
    await expect(client.execute("no-such-command")).rejects.toMatchObject({ failure: "refused" });
    await client.execute("quit");
    expect(await exited).toEqual([0, null]);
    expect(events.map(({ event }) => event)).toEqual(["SHUTDOWN"]);
  },
);
