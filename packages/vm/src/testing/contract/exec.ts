import assert from "node:assert/strict";
import type { ExecProcess } from "../../exec.ts";
import { assertFails } from "./life.ts";
import type { ContractCase } from "./subject.ts";
import { resultOf, textOf, withMachine } from "./with-machine.ts";

const mebibyte = 1024 * 1024;

/** How commands run in a machine, which can run others afterwards. */
export const execCases: readonly ContractCase[] = [
  {
    title: "a command's two outputs are apart, and its exit code is exact",
    run: (subject) =>
      withMachine(subject, async (machine) => {
        const { print, exit } = subject.commands;
        assert.deepEqual(await resultOf(await machine.exec({ command: print })), {
          stdout: "out",
          stderr: "err",
          exit: { exitCode: 0 },
        });
        for (const code of [1, 42, 255]) {
          const ended = await resultOf(await machine.exec({ command: exit(code) }));
          assert.deepEqual(ended.exit, { exitCode: code });
        }
      }),
  },
  {
    title: "input arrives byte for byte and ends with end of file, with bounded memory",
    run: (subject) =>
      withMachine(subject, async (machine) => {
        const running = await machine.exec({ command: subject.commands.copy });
        const sent = new Uint8Array(mebibyte).map((_, index) => (index * 7 + (index >> 8)) & 0xff);
        const received: Uint8Array[] = [];
        const reading = (async () => {
          for await (const chunk of running.stdout) received.push(chunk);
        })();
        // The writer's buffer is its own again once the write has resolved.
        const buffer = new Uint8Array(8192);
        for (let at = 0; at < sent.byteLength; at += buffer.byteLength) {
          buffer.set(sent.subarray(at, at + buffer.byteLength));
          await running.stdin.write(buffer);
        }
        await running.stdin.end();
        await running.stdin.end();
        await reading;
        assert.deepEqual(await running.wait(), { exitCode: 0 });
        assert.ok(Buffer.concat(received).equals(Buffer.from(sent)));
        await assertFails(running.stdin.write(sent), "VM_STREAM_CLOSED");
      }),
  },
  {
    title: "a writer waits while nobody reads, and other commands go on meanwhile",
    run: (subject) =>
      withMachine(subject, async (machine) => {
        await using stalled = await machine.exec({ command: subject.commands.copy });
        const sent = await bytesUntilItWaits(stalled);
        assert.ok(sent < 8 * mebibyte, `${sent} bytes were taken`);
        const ended = await resultOf(await machine.exec({ command: subject.commands.print }));
        assert.equal(ended.stdout, "out");
      }),
  },
  {
    title: "output of any size arrives whole when it is read",
    run: (subject) =>
      withMachine(subject, async (machine) => {
        const running = await machine.exec({ command: subject.commands.flood(mebibyte + 1) });
        let bytes = 0;
        for await (const chunk of running.stdout) bytes += chunk.byteLength;
        assert.equal(bytes, mebibyte + 1);
        assert.deepEqual(await running.wait(), { exitCode: 0 });
      }),
  },
  {
    title: "a reader that leaves early stops nothing",
    run: (subject) =>
      withMachine(subject, async (machine) => {
        const running = await machine.exec({ command: subject.commands.flood(mebibyte) });
        for await (const _ of running.stdout) break;
        assert.deepEqual(await running.wait(), { exitCode: 0 });
      }),
  },
  {
    title: "a signal ends a command, and its exit says which",
    run: (subject) =>
      withMachine(subject, async (machine) => {
        const running = await machine.exec({ command: subject.commands.sleep });
        await running.kill();
        assert.deepEqual(await running.wait(), { exitCode: 143, signal: "SIGTERM" });
        await running.kill("SIGKILL");
      }),
  },
  {
    title: "a command may handle a signal",
    run: (subject) =>
      withMachine(subject, async (machine) => {
        const running = await machine.exec({ command: subject.commands.trap });
        const decoder = new TextDecoder();
        let text = "";
        for await (const chunk of running.stdout) {
          text += decoder.decode(chunk, { stream: true });
          if (text === "ready\n") await running.kill("SIGINT");
        }
        assert.equal(text, "ready\ninterrupted\n");
        assert.deepEqual(await running.wait(), { exitCode: 7 });
      }),
  },
  {
    title: "a terminal has a size, and is told another",
    run: (subject) =>
      withMachine(subject, async (machine) => {
        const command = subject.commands.terminalSize;
        const running = await machine.exec({ command, terminal: { rows: 24, columns: 80 } });
        const decoder = new TextDecoder();
        let text = "";
        for await (const chunk of running.stdout) {
          const before = text;
          text += decoder.decode(chunk, { stream: true });
          if (!before.includes("\n") && text.includes("\n")) {
            await running.resize({ rows: 50, columns: 132 });
          }
        }
        assert.equal(text, "24 80\r\n50 132\r\n");
        assert.equal(await textOf(running.stderr), "");
      }),
  },
  {
    title: "environment, working folder and user are those asked for",
    run: (subject) =>
      withMachine(subject, async (machine) => {
        const { commands, folder } = subject;
        const environment = [
          ["PATH", "/bin"],
          ["A", "b=c d"],
        ] as const;
        const told = await resultOf(
          await machine.exec({ command: commands.environment, environment }),
        );
        assert.deepEqual(told.stdout.trim().split("\n").sort(), ["A=b=c d", "PATH=/bin"]);
        const at = await resultOf(
          await machine.exec({ command: commands.workingDirectory, workingDirectory: folder }),
        );
        assert.equal(at.stdout, `${folder}\n`);
      }),
  },
  {
    title: "what cannot be run is told before anything runs",
    run: (subject) =>
      withMachine(subject, async (machine) => {
        const { commands } = subject;
        const command = commands.exit(0);
        const missing = { command: ["/no/such/program"] };
        await assertFails(machine.exec(missing), "VM_EXEC_NOT_FOUND");
        const denied = { command: commands.notExecutable };
        await assertFails(machine.exec(denied), "VM_EXEC_NOT_EXECUTABLE");
        const nowhere = { command, workingDirectory: "/missing" };
        await assertFails(machine.exec(nowhere), "VM_EXEC_NO_DIRECTORY");
        const nobody = { command, user: "no-such-user" };
        await assertFails(machine.exec(nobody), "VM_EXEC_NO_USER");
      }),
  },
  {
    title: "an abort ends the command, its wait and its streams with the reason",
    run: (subject) =>
      withMachine(subject, async (machine) => {
        const controller = new AbortController();
        const { signal } = controller;
        const running = await machine.exec({ command: subject.commands.sleep }, { signal });
        const reading = textOf(running.stdout);
        controller.abort(new Error("enough"));
        await assert.rejects(running.wait(), /enough/);
        await assert.rejects(reading, /enough/);
      }),
  },
  {
    title: "disposing ends a command that still runs",
    run: (subject) =>
      withMachine(subject, async (machine) => {
        const running = await machine.exec({ command: subject.commands.sleep });
        await running[Symbol.asyncDispose]();
        assert.deepEqual(await running.wait(), { exitCode: 137, signal: "SIGKILL" });
      }),
  },
  {
    title: "two handles run commands side by side",
    run: (subject) =>
      withMachine(subject, async (machine) => {
        await using other = await subject.other().attach(machine.record);
        await other.connect();
        const command = subject.commands.print;
        const results = await Promise.all(
          [machine, other, machine, other].map(async (handle) =>
            resultOf(await handle.exec({ command })),
          ),
        );
        for (const { stdout } of results) assert.equal(stdout, "out");
      }),
  },
];

/** What becomes of commands when their machine ends. */
export const lostCases: readonly ContractCase[] = [
  {
    title: "commands end when the machine's process is killed, and say why",
    run: (subject) =>
      withMachine(subject, async (machine) => {
        const command = await machine.exec({ command: subject.commands.sleep });
        process.kill(machine.record.process.pid, "SIGKILL");
        await assertFails(command.wait(), "VM_MACHINE_DIED");
        await assertFails(textOf(command.stderr), "VM_MACHINE_DIED");
      }),
  },
  {
    title: "commands end with the machine, and say why",
    run: (subject) =>
      withMachine(subject, async (machine) => {
        const running = await machine.exec({ command: subject.commands.sleep });
        const waiting = running.wait();
        const reading = textOf(running.stdout);
        await Promise.all([
          assertFails(waiting, "VM_MACHINE_DIED"),
          assertFails(reading, "VM_MACHINE_DIED"),
          machine.stop({ graceMs: 0 }),
        ]);
        const late = machine.exec({ command: subject.commands.print });
        await assertFails(late, "VM_MACHINE_DIED");
      }),
  },
];

/** How many bytes a command takes before its writer has to wait for half a second. */
async function bytesUntilItWaits(running: ExecProcess): Promise<number> {
  const block = new Uint8Array(16 * 1024);
  for (let sent = 0; sent < 8 * mebibyte; sent += block.byteLength) {
    const late = new Promise<"late">((resolve) => setTimeout(() => resolve("late"), 500));
    const writing = running.stdin.write(block).then(() => "taken" as const);
    writing.catch(() => {});
    if ((await Promise.race([writing, late])) === "late") return sent;
  }
  return 8 * mebibyte;
}
