import assert from "node:assert/strict";
import { connect } from "node:net";
import { encodeTreeRecord, type TreeRecord, TreeRecordDecoder } from "@box/guest/protocol";
import type { GuestStream } from "../../streams.ts";
import { assertFails } from "./life.ts";
import type { ContractCase, ContractSubject } from "./subject.ts";
import { textOf, withMachine, withSpawned } from "./with-machine.ts";

const encoder = new TextEncoder();

/** Files and connections, in a machine which can be used afterwards. */
export const streamCases: readonly ContractCase[] = [
  {
    title: "files go into a guest and come back with their names, modes and times",
    run: (subject) =>
      withMachine(subject, async (machine) => {
        const put = await machine.open({ type: "put", path: subject.folder });
        const content = encoder.encode("x".repeat(200_000));
        await put.stdin.write(encodeTreeRecord(record("directory", "tree", 0o750)));
        await put.stdin.write(encodeTreeRecord(record("file", "tree/f", 0o640, content.length)));
        await put.stdin.write(content);
        await put.stdin.end();
        assert.deepEqual(await put.wait(), { exitCode: 0 });
        const get = await machine.open({ type: "get", path: `${subject.folder}/tree` });
        const files = await filesOf(get);
        assert.deepEqual(await get.wait(), { exitCode: 0 });
        assert.deepEqual(
          files.map(({ kind, mode, path, size, mtimeNs }) => [kind, mode, path, size, mtimeNs]),
          [
            ["directory", 0o750, "tree", 0, 10n ** 18n],
            ["file", 0o640, "tree/f", 200_000, 10n ** 18n],
          ],
        );
      }),
  },
  {
    title: "files that are not there are told before anything is sent",
    run: (subject) =>
      withMachine(subject, async (machine) => {
        const path = "/no/such/folder";
        await assertFails(machine.open({ type: "get", path }), "VM_FILE_NOT_FOUND");
        await assertFails(machine.open({ type: "put", path }), "VM_FILE_NOT_FOUND");
      }),
  },
  {
    title: "a connection carries bytes both ways, and each direction ends by itself",
    run: (subject) =>
      withMachine(subject, async (machine) => {
        await using server = await machine.exec({ command: subject.commands.echoServer });
        // It tells when it listens.
        for await (const _ of server.stdout) break;
        const connection = await machine.open({ type: "connect", port: 7 });
        await connection.stdin.write(encoder.encode("there "));
        await connection.stdin.write(encoder.encode("and back"));
        await connection.stdin.end();
        assert.equal(await textOf(connection.stdout), "there and back");
        assert.deepEqual(await connection.wait(), { exitCode: 0 });
        await assertFails(machine.open({ type: "connect", port: 9 }), "VM_PORT_REFUSED");
      }),
  },
];

/** Ports and figures of a machine, which can be used afterwards. */
export const hostCases: readonly ContractCase[] = [
  {
    title: "ports of the host lead to ports of the guest, and each direction ends by itself",
    run: (subject) =>
      withMachine(subject, async (machine) => {
        const forwards = await machine.forward([
          { hostPort: 0, guestPort: 7 },
          { hostPort: 0, guestPort: 9 },
        ]);
        const [echo, nobody] = forwards.slice(-2);
        assert.ok(echo !== undefined && nobody !== undefined);
        assert.equal(echo.hostAddress, "127.0.0.1");
        await using server = await machine.exec({ command: subject.commands.echoServer });
        for await (const _ of server.stdout) break;
        const sent = Buffer.alloc(300_000, "0123456789");
        assert.ok((await askPort(echo.hostPort, sent)).equals(sent));
        await assert.rejects(askPort(nobody.hostPort, Buffer.from("x")));
        await using other = await subject.other().attach(machine.record);
        assert.deepEqual(await other.forward([]), forwards);
        const taken = machine.forward([{ hostPort: echo.hostPort, guestPort: 7 }]);
        await assertFails(taken, "VM_PORT_IN_USE");
        const invalid = machine.forward([{ hostPort: 0, guestPort: 0 }]);
        await assertFails(invalid, "VM_SPEC_INVALID");
      }),
  },
  {
    title: "a machine tells what it uses",
    run: (subject) =>
      withMachine(subject, async (machine) => {
        const { guest, host } = await machine.stats();
        assert.ok(guest.cpus >= 1);
        assert.ok(guest.uptimeMs > 0 && guest.cpuMs > 0, `${guest.uptimeMs} ${guest.cpuMs}`);
        assert.ok(guest.usedMemoryBytes > 0 && guest.usedMemoryBytes < guest.memoryBytes);
        assert.ok(guest.usedDiskBytes > 0 && guest.usedDiskBytes < guest.diskBytes);
        assert.ok(host.readBytes >= 0 && host.writtenBytes >= 0);
      }),
  },
];

/** What machines are connected to. */
export const networkCases: readonly ContractCase[] = [
  {
    title: "a machine has no network but its loopback, unless it is given a card",
    run: async (subject) => {
      assert.equal(await networksOf(subject), "lo\n");
      const spec = async () => ({ ...(await subject.spec()), network: "user" }) as const;
      assert.equal(await networksOf({ ...subject, spec }), "lo\neth0\n");
    },
  },
];

/** What can be done with the program that a machine runs for. */
export const programCases: readonly ContractCase[] = [
  {
    title: "who attaches to the machine's program shares its output, feeds it and may signal it",
    run: (subject) =>
      withSpawned(subject, async (machine) => {
        await machine.connect();
        const program = { command: subject.commands.copy, keepsInput: true };
        await machine.initialize({ hostname: "contract", program });
        await using other = await subject.other().attach(machine.record);
        const [first, second] = await Promise.all([machine.attach(), other.attach()]);
        await first.stdin.write(encoder.encode("one "));
        await first.stdin.end();
        await readUntil(second.stdout, "one ");
        await second[Symbol.asyncDispose]();
        const third = await other.attach();
        await third.stdin.write(encoder.encode("two"));
        await readUntil(third.stdout, "two");
        await machine.signal("SIGTERM");
        assert.deepEqual(await third.wait(), { exitCode: 143, signal: "SIGTERM" });
        assert.equal(await textOf(first.stdout), "one two");
        const exit = await machine.wait();
        assert.deepEqual([exit.reason, exit.exitCode], ["exited", 143]);
      }),
  },
  {
    title: "a machine without a program has nothing to attach to or to signal",
    sharesMachine: true,
    run: (subject) =>
      withMachine(subject, async (machine) => {
        await assertFails(machine.attach(), "VM_NO_PROGRAM");
        await assertFails(machine.signal("SIGTERM"), "VM_NO_PROGRAM");
        await assertFails(machine.signal("SIGNONE"), "VM_SPEC_INVALID");
      }),
  },
];

async function networksOf(subject: ContractSubject): Promise<string> {
  let networks = "";
  await withMachine(subject, async (machine) => {
    await using running = await machine.exec({ command: subject.commands.networks });
    networks = await textOf(running.stdout);
  });
  return networks;
}

function record(kind: TreeRecord["kind"], path: string, mode: number, sizeBytes = 0): TreeRecord {
  return {
    ...{ kind, mode, uid: 0, gid: 0, mtimeNs: 10n ** 18n, sizeBytes },
    ...{ path: encoder.encode(path), linkTarget: new Uint8Array(0) },
  };
}

async function filesOf({ stdout }: GuestStream) {
  const decoder = new TreeRecordDecoder();
  const files: { kind: string; mode: number; path: string; size: number; mtimeNs: bigint }[] = [];
  for await (const chunk of stdout) {
    for (const event of decoder.push(chunk)) {
      const last = files.at(-1);
      if (event.type === "record") {
        const { kind, mode, mtimeNs, path } = event.record;
        files.push({ kind, mode, path: new TextDecoder().decode(path), size: 0, mtimeNs });
      } else if (last !== undefined) last.size += event.bytes.byteLength;
    }
  }
  assert.ok(decoder.isBetweenRecords);
  return files;
}

/** Sends something to a port of this host, and reads the answer to its end. */
async function askPort(port: number, sent: Uint8Array): Promise<Buffer> {
  const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
  const failed = new Promise<never>((_, reject) => socket.once("error", reject));
  socket.end(sent);
  const chunks: Uint8Array[] = [];
  const reading = (async () => {
    for await (const chunk of socket) chunks.push(chunk as Uint8Array);
  })();
  await Promise.race([reading, failed]);
  return Buffer.concat(chunks);
}

/** Reads until a text has come; the rest is for nobody. */
async function readUntil(stream: AsyncIterable<Uint8Array>, wanted: string): Promise<void> {
  const decoder = new TextDecoder();
  let text = "";
  for await (const chunk of stream) {
    text += decoder.decode(chunk, { stream: true });
    if (text.endsWith(wanted)) return;
  }
  assert.fail(`the stream ended with ${JSON.stringify(text)}`);
}
