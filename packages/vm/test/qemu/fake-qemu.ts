// Plays QEMU and the agent of its guest, on the open sockets that a real one is given: no machine, the same conversations.
import { readFileSync } from "node:fs";
import { connect, Socket } from "node:net";
import { FakeAgent } from "./fake-agent.ts";

const words = process.argv.slice(2);
if (words[0] === "--version") {
  process.stdout.write("QEMU emulator version 7.2.22 (played)\n");
  process.exit(0);
}
const disk = /"filename":"([^"]+)"/.exec(words.join(" "))?.[1] ?? "";
if (disk.endsWith("locked.qcow2")) {
  process.stderr.write(`qemu: Failed to get "write" lock\nIs another process using ${disk}?\n`);
  process.exit(1);
}
if (words.includes("kvm") && words.includes("/aborts")) {
  process.stderr.write("qemu: error: failed to set MSR 0x10a to 0x0\n");
  process.exit(1);
}
if (disk.endsWith("without-slirp.qcow2")) {
  process.stderr.write("qemu: network backend 'user' is not compiled into this binary\n");
  process.exit(1);
}
if (disk.endsWith("broken.qcow2")) process.exit(3);

const timestamp = { seconds: 1, microseconds: 0 };
const [qmp, port, console] = [3, 4, 5].map((fd) => new Socket({ fd })) as [Socket, Socket, Socket];
const say = (value: object) => void qmp.write(`${JSON.stringify(value)}\r\n`);

function end(reason: string, guest: boolean): void {
  say({ event: "SHUTDOWN", timestamp, data: { guest, reason } });
  setTimeout(() => process.exit(0), 5);
}

const name = /guest=(\S+)/.exec(words.join(" "))?.[1] ?? "";
const isRestored = words.includes("-incoming");
if (isRestored && readFileSync(6, "latin1").slice(0, 5) !== "state") {
  process.stderr.write("qemu: load of migration failed: Invalid argument\n");
  process.exit(1);
}
let status = isRestored ? "inmigrate" : "running";
let migration = {};
/** Sends what stands for the state of the machine. */
function migrate(uri: string): void {
  const socket = connect(uri.replace("unix:", ""));
  migration = { status: "active" };
  const end = () => {
    migration = { status: name === "unsaved" ? "failed" : "completed" };
  };
  socket.on("close", end);
  socket.end(`state of ${name} ${"x".repeat(100_000)}`);
}

/** What a command of the monitor gives back. */
function reply(execute: string, args: { readonly uri: string }): object {
  if (execute === "migrate" && name !== "slow") migrate(args.uri);
  if (execute === "migrate" && name === "slow") migration = { status: "active" };
  if (execute === "query-migrate") return migration;
  if (execute === "stop") status = "paused";
  if (execute === "cont") status = "running";
  if (execute !== "query-status") return {};
  const now = { status };
  if (status === "inmigrate" && name !== "endless") status = "paused";
  return now;
}

say({ QMP: { version: { qemu: { major: 7, minor: 2, micro: 0 } }, capabilities: [] } });
qmp.on("data", (chunk: Buffer) => {
  for (const line of chunk.toString().trim().split("\n")) {
    const {
      execute,
      id,
      arguments: args,
    } = JSON.parse(line) as {
      readonly execute: string;
      readonly id: number;
      readonly arguments: { readonly uri: string };
    };
    const isStuck = execute === "cont" && name === (isRestored ? "locked" : "stuck");
    const desc = isRestored ? 'Failed to get "write" lock' : "no";
    if (isStuck) say({ error: { class: "GenericError", desc }, id });
    else say({ return: reply(execute, args), id });
    if (execute === "cont") console.write("it goes on\r\n");
    if (execute === "quit" && name !== "lingers") end("host-qmp-quit", false);
  }
});
console.write("Linux version 0\r\n");
const agent = new FakeAgent(port, {
  powerOff: () => {
    if (name !== "lingers") end("guest-shutdown", true);
  },
  say: (text) => void console.write(text),
  fill: () => {
    const data = { operation: "write", action: "stop", nospace: true, reason: "No space left" };
    say({ event: "BLOCK_IO_ERROR", timestamp, data });
  },
  panic: () => {
    console.write("Kernel panic - not syncing\r\n");
    end("guest-reset", true);
  },
});
if (words.includes("kvm") && words.includes("/hangs")) agent.hang();
if (isRestored && name === "silent") agent.hang();
// A real one outlives whoever holds the other ends of its sockets.
setInterval(() => {}, 60_000);
// A real agent takes a while, and its guest may hang.
process.on("SIGUSR1", () => agent.hang());
