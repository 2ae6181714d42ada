import { execFile } from "node:child_process";
import { constants } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { nodeFileSystem } from "@box/io/node";
import { expect, test } from "vitest";
import { temporaryFolder } from "./temporary-folder.ts";

const { O_CREAT, O_RDWR, O_RDONLY } = constants;

test("lets everything else have its turn while short calls follow each other", async () => {
  const folder = await temporaryFolder();
  let isOver = false;
  let turns = 0;
  const turn = (): void => {
    turns++;
    if (!isOver) setImmediate(turn);
  };
  setImmediate(turn);
  const beganMs = performance.now();
  while (performance.now() - beganMs < 200) await nodeFileSystem.stat(folder);
  isOver = true;
  // One at least every ten milliseconds, by a wide margin.
  expect(turns).toBeGreaterThan(4);
});

test("lets everything else have its turn while many short calls are made at once", async () => {
  const folder = await temporaryFolder();
  let isOver = false;
  let longestMs = 0;
  let beforeMs = performance.now();
  const measure = (): void => {
    longestMs = Math.max(longestMs, performance.now() - beforeMs);
    beforeMs = performance.now();
  };
  const turn = (): void => {
    measure();
    if (!isOver) setTimeout(turn);
  };
  const calls = Array.from({ length: 150_000 }, () => nodeFileSystem.stat(folder));
  // Making them is one turn by itself.
  const madeMs = performance.now();
  beforeMs = madeMs;
  setTimeout(turn);
  const facts = await Promise.all(calls);
  isOver = true;
  measure();
  const tookMs = performance.now() - madeMs;
  expect(facts.every((fact) => fact.isDirectory())).toBe(true);
  // What is left of the time is cut into turns of ten milliseconds; a busy machine makes some longer.
  expect(longestMs).toBeLessThan(Math.max(100, tookMs / 2));
});

test("a process does not end before short calls that wait for their turn", async () => {
  const script = `
    import { nodeFileSystem } from "@box/io/node";
    let done = 0;
    for (let call = 0; call < 20000; call++) void nodeFileSystem.stat("/").then(() => done++);
    process.on("exit", () => console.log(done));
  `;
  const words = ["--conditions=@box/source", "--input-type=module", "--eval", script];
  const { stdout } = await promisify(execFile)(process.execPath, words, {
    cwd: import.meta.dirname,
  });
  expect(stdout.trim()).toBe("20000");
});

test("closes a file when what is under way on it is done, and refuses what comes after", async () => {
  const path = join(await temporaryFolder(), "file");
  const handle = await nodeFileSystem.open(path, O_CREAT | O_RDWR);
  const bytes = new Uint8Array(2 ** 22).fill(7);
  const writing = handle.write(bytes, 0);
  const syncing = handle.sync();
  const closing = handle.close();
  const afterwards = { code: "EBADF" };
  await expect(handle.read(new Uint8Array(1), 0)).rejects.toMatchObject(afterwards);
  await expect(handle.stat()).rejects.toMatchObject(afterwards);
  expect(() => handle.writeSync?.(bytes, 0)).toThrow(expect.objectContaining(afterwards));
  expect(await writing).toBe(bytes.byteLength);
  await syncing;
  await closing;
  // Once more is no other file's business.
  await handle.close();
  expect((await readFile(path)).equals(bytes)).toBe(true);
});

test("reads and says what a file is, and tells what the system says", async () => {
  const folder = await temporaryFolder();
  const path = join(folder, "file");
  const made = await nodeFileSystem.open(path, O_CREAT | O_RDWR, 0o600);
  await made.write(new TextEncoder().encode("text"), 0);
  await made.chmod(0o640);
  await made.truncate(3);
  await made.close();
  const handle = await nodeFileSystem.open(path, O_RDONLY);
  const into = new Uint8Array(8);
  expect(await handle.read(into, 1)).toBe(2);
  expect(handle.sizeSync?.()).toBe(3);
  expect((await handle.stat()).mode & 0o777n).toBe(0o640n);
  await expect(handle.write(into, 0)).rejects.toMatchObject({ code: "EBADF" });
  await handle.close();
  await expect(nodeFileSystem.open(join(folder, "none"), O_RDONLY)).rejects.toMatchObject({
    code: "ENOENT",
  });
  await expect(nodeFileSystem.link(path, path)).rejects.toMatchObject({ code: "EEXIST" });
  await expect(nodeFileSystem.mkdir(folder)).rejects.toMatchObject({ code: "EEXIST" });
});
