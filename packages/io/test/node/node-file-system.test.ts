import { constants } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
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
