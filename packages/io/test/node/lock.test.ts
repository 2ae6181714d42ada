import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import {
  acquireLock,
  acquireLockIfFree,
  identityOfProcess,
  isProcessAlive,
  type LockHolder,
  processIdentity,
} from "@box/io/node";
import { describe, expect, onTestFinished, test } from "vitest";
import { temporaryFolder } from "./temporary-folder.ts";

describe("acquireLock", () => {
  test("refuses a second taker of the same process and names the holder", async () => {
    const path = join(temporaryFolder(), "a.lock");
    await using _lock = await acquireLock(path, { command: "box create web" });
    await expect(acquireLock(path, { timeoutMs: 0 })).rejects.toMatchObject({
      code: "IO_LOCK_HELD",
      kind: "in-use",
      message: expect.stringContaining("box create web"),
      details: { holder: { pid: process.pid } },
    });
  });

  test("is free again after release, and releasing twice does nothing", async () => {
    const path = join(temporaryFolder(), "a.lock");
    const lock = await acquireLock(path);
    await lock.release();
    await lock.release();
    await using _again = await acquireLock(path, { timeoutMs: 0 });
  });

  test("waits for another process, tells who holds it, and takes over when that is killed", async () => {
    const path = join(temporaryFolder(), "a.lock");
    const child = spawn(process.execPath, ["-e", holdLock, path]);
    onTestFinished(() => void child.kill("SIGKILL"));
    await once(child.stdout, "data");
    const holder = { ...processIdentity(), pid: child.pid, command: "other" };
    writeFileSync(`${path}.holder`, JSON.stringify(holder));
    const holders: (LockHolder | undefined)[] = [];
    await using _lock = await acquireLock(path, {
      onWait: (found) => {
        holders.push(found);
        child.kill("SIGKILL");
      },
    });
    expect(holders).toMatchObject([{ pid: child.pid, command: "other" }]);
  });

  test.each(["null", "{", "[]", '"text"', ""])(
    "is held by somebody when who it is reads %s",
    async (text) => {
      const path = join(temporaryFolder(), "a.lock");
      await using _lock = await acquireLock(path);
      writeFileSync(`${path}.holder`, text);
      await expect(acquireLock(path, { timeoutMs: 0 })).rejects.toMatchObject({
        code: "IO_LOCK_HELD",
      });
    },
  );

  test("is waited for while its holder works, and not for long while that is stopped", async () => {
    const path = join(temporaryFolder(), "a.lock");
    const child = spawn(process.execPath, ["-e", holdLock, path]);
    onTestFinished(() => void child.kill("SIGKILL"));
    await once(child.stdout, "data");
    const holder = { ...identityOfProcess(child.pid ?? 0), command: "other" };
    writeFileSync(`${path}.holder`, JSON.stringify(holder));
    const over = AbortSignal.timeout(700);
    const working = acquireLock(path, { stoppedTimeoutMs: 200, signal: over });
    await expect(working).rejects.toThrow(/abort/i);
    child.kill("SIGSTOP");
    await expect(acquireLock(path, { stoppedTimeoutMs: 200 })).rejects.toMatchObject({
      code: "IO_LOCK_HELD",
      message: expect.stringContaining("(other), which is stopped"),
      hint: expect.stringContaining(`kill -CONT ${child.pid}`),
    });
  });

  test("is taken at once or not at all where it need not be had", async () => {
    const path = join(temporaryFolder(), "a.lock");
    const lock = await acquireLockIfFree(path, { command: "look" });
    expect(JSON.parse(readFileSync(`${path}.holder`, "utf8"))).toMatchObject({ command: "look" });
    expect(await acquireLockIfFree(path)).toBeUndefined();
    await lock?.release();
    await using again = await acquireLockIfFree(path);
    expect(again).toBeDefined();
    const nowhere = join(temporaryFolder(), "none", "a.lock");
    await expect(acquireLockIfFree(nowhere)).rejects.toMatchObject({ kind: "io" });
  });

  test("stops waiting on an abort", async () => {
    const path = join(temporaryFolder(), "a.lock");
    await using _lock = await acquireLock(path);
    const waiting = acquireLock(path, { signal: AbortSignal.timeout(1) });
    await expect(waiting).rejects.toMatchObject({ name: expect.stringMatching(/Abort|Timeout/) });
  });

  test("reports a lock file that cannot be made as an I/O error", async () => {
    const path = join(temporaryFolder(), "none", "a.lock");
    await expect(acquireLock(path)).rejects.toMatchObject({ kind: "io" });
  });
});

describe("isProcessAlive", () => {
  test("knows this process, a dead one, a reused pid and an earlier boot", () => {
    const me = processIdentity();
    expect(isProcessAlive(me)).toBe(true);
    expect(isProcessAlive({ ...me, pid: 999_999_999 })).toBe(false);
    expect(isProcessAlive({ ...me, startTime: "1" })).toBe(false);
    expect(isProcessAlive({ ...me, bootId: "another" })).toBe(false);
  });

  test("calls a process of another pid namespace alive, since it cannot be seen", () => {
    const other = { ...processIdentity(), pidNamespace: "pid:[1]", pid: 999_999_999 };
    expect(isProcessAlive(other)).toBe(true);
  });

  test("calls a process dead that has ended, though its parent has not collected it", async () => {
    // A shell may still collect what it started; `cat` never does, and answers once the shell has become it.
    const script = "sleep 60 & echo $!; exec cat";
    const parent = spawn("sh", ["-c", script], { stdio: ["pipe", "pipe", "inherit"] });
    onTestFinished(() => void parent.kill("SIGKILL"));
    const [line] = (await once(parent.stdout, "data")) as [Buffer];
    const child = identityOfProcess(Number(line.toString()));
    parent.stdin.write("are you cat?");
    await once(parent.stdout, "data");
    expect(isProcessAlive(child)).toBe(true);
    process.kill(child.pid, "SIGKILL");
    await expect.poll(() => isProcessAlive(child), { timeout: 60_000 }).toBe(false);
    process.kill(child.pid, 0);
  });
});

const holdLock = `
  const { DatabaseSync } = require("node:sqlite");
  const database = new DatabaseSync(process.argv[1]);
  database.exec("BEGIN EXCLUSIVE");
  console.log("held");
  setInterval(() => {}, 1000);
`;
