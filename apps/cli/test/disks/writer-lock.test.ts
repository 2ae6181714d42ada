import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  linkSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openFile } from "@box/io/node";
import { describe, expect, onTestFinished, test } from "vitest";
import {
  hasWriter,
  type LockWriterOptions,
  lockWriter as lockNamed,
} from "../../src/disks/writer-lock.ts";

const lockWriter = (identity: string, options?: LockWriterOptions) =>
  lockNamed({ file: "a.qcow2", identity }, options);

function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "box-locks-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** A file of the test's own and its identity. */
async function lockedFile(): Promise<{ folder: string; path: string; identity: string }> {
  const folder = temporaryFolder();
  const path = join(folder, "disk");
  writeFileSync(path, "");
  return { folder, path, identity: await identityOf(path) };
}

async function identityOf(path: string): Promise<string> {
  await using file = await openFile(path);
  return file.identity?.() ?? "";
}

const source = new URL("../../src/disks/writer-lock.ts", import.meta.url).href;

const takeLock = `
  const { lockWriter } = await import(${JSON.stringify(source)});
  const [identity, options] = process.argv.slice(1);
  await lockWriter({ file: "a.qcow2", identity }, { command: "other", ...JSON.parse(options) }).then(
    () => { console.log("held"); setInterval(() => {}, 1000); },
    ({ code }) => console.log(code),
  );
`;

/** Another process that takes the lock, and what it said of that. */
async function otherProcess(
  identity: string,
  options: LockWriterOptions,
): Promise<{ child: ChildProcessWithoutNullStreams; said: string }> {
  const flags = ["--conditions=@box/source", "--input-type=module", "-e", takeLock];
  const child = spawn(process.execPath, [...flags, identity, JSON.stringify(options)], {
    cwd: import.meta.dirname,
  });
  onTestFinished(() => void child.kill("SIGKILL"));
  child.stderr.pipe(process.stderr);
  const [said] = await once(child.stdout, "data");
  return { child, said: String(said).trim() };
}

const ways = [
  ["a name to listen on", () => ({})],
  ["a lock file", () => ({ platform: "darwin", folder: join(temporaryFolder(), "locks") })],
] as const satisfies readonly (readonly [string, () => LockWriterOptions])[];

describe.skipIf(process.platform !== "linux").each(ways)("lockWriter, with %s", (_, optionsOf) => {
  test("refuses a second taker of the same process and names the holder", async () => {
    const { identity } = await lockedFile();
    const options = optionsOf();
    await using _lock = await lockWriter(identity, { ...options, command: "box disk resize" });
    await expect(lockWriter(identity, options)).rejects.toMatchObject({
      code: "CLI_FILE_IN_USE",
      kind: "in-use",
      message: expect.stringContaining("box disk resize"),
      details: { pid: process.pid },
    });
  });

  test("is free again after release, and releasing twice does nothing", async () => {
    const { identity } = await lockedFile();
    const options = optionsOf();
    const lock = await lockWriter(identity, options);
    await lock.release();
    await lock.release();
    await using _again = await lockWriter(identity, options);
  });

  test("takes links to one file for one file, and other files for others", async () => {
    const { folder, path, identity } = await lockedFile();
    const options = optionsOf();
    linkSync(path, join(folder, "hard"));
    symlinkSync(path, join(folder, "soft"));
    writeFileSync(join(folder, "other"), "");
    await using _lock = await lockWriter(identity, options);
    for (const name of ["hard", "soft"]) {
      const same = lockWriter(await identityOf(join(folder, name)), options);
      await expect(same).rejects.toMatchObject({ code: "CLI_FILE_IN_USE" });
    }
    await using _other = await lockWriter(await identityOf(join(folder, "other")), options);
  });

  test("refuses another process, and is refused by one until that is killed", async () => {
    const { folder, identity } = await lockedFile();
    const options = optionsOf();
    const lock = await lockWriter(identity, options);
    expect(await otherProcess(identity, options)).toMatchObject({ said: "CLI_FILE_IN_USE" });
    await lock.release();
    expect(await hasWriter(identity, options)).toBe(false);

    const { child, said } = await otherProcess(identity, options);
    expect(said).toBe("held");
    expect(await hasWriter(identity, options)).toBe(true);
    await expect(lockWriter(identity, options)).rejects.toMatchObject({
      message: expect.stringContaining(`process ${child.pid} (other)`),
    });
    child.kill("SIGKILL");
    await once(child, "close");
    expect(await hasWriter(identity, options)).toBe(false);
    await using _lock = await lockWriter(identity, options);
    expect(readdirSync(folder)).toEqual(["disk"]);
  });

  test("keeps nobody from it by looking", async () => {
    const { identity } = await lockedFile();
    const options = optionsOf();
    const looking = Array.from({ length: 20 }, () => hasWriter(identity, options));
    await using _lock = await lockWriter(identity, options);
    await Promise.all(looking);
  });
});

describe.skipIf(process.platform !== "linux")("a process that only says that it writes", () => {
  const answers: readonly [string, (socket: Socket) => void][] = [
    ["nothing", () => {}],
    ["no JSON", (socket) => socket.end("hello")],
    ["a control character", (socket) => socket.end(`{"pid":1,"command":"\\u001b[2J"}`)],
    ["no end", (socket) => void socket.write("x".repeat(1e6))],
    ["a reset", (socket) => void socket.destroy()],
  ];
  test.each(answers)("is not quoted when it answers with %s", async (_, answer) => {
    const { identity } = await lockedFile();
    const sockets = new Set<Socket>();
    const server = createServer((socket) => {
      sockets.add(socket.on("error", () => {}));
      answer(socket);
    });
    server.listen(`\0box-writer-${identity.replace(":", "-")}`);
    await once(server, "listening");
    onTestFinished(() => {
      for (const socket of sockets) socket.destroy();
      server.close();
    });
    await expect(lockWriter(identity)).rejects.toMatchObject({
      code: "CLI_FILE_IN_USE",
      message: "a.qcow2 is in use by another box, which changes it",
    });
  });
});

describe.skipIf(process.platform !== "linux")("a folder for lock files", () => {
  test("is refused when others can write to it, or it is a link", async () => {
    const { folder, identity } = await lockedFile();
    const open = join(folder, "open");
    await (await lockWriter(identity, { platform: "darwin", folder: open })).release();
    chmodSync(open, 0o777);
    symlinkSync(folder, join(folder, "link"));
    for (const name of ["open", "link"]) {
      const locking = lockWriter(identity, { platform: "darwin", folder: join(folder, name) });
      await expect(locking).rejects.toMatchObject({ code: "IO_FAILED" });
    }
    const locking = lockWriter(identity, { platform: "darwin", folder: "/none/none" });
    await expect(locking).rejects.toMatchObject({ code: "IO_NOT_FOUND" });
  });
});
