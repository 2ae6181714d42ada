import { mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { RollingLog, tailOf, visibleText } from "../../../src/qemu/supervisor/rolling-log.ts";

const mebibyte = 1024 * 1024;

async function makeFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "box-log-"));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

test("a log keeps what came last, in two files of a mebibyte at most", async () => {
  const folder = await makeFolder();
  const path = join(folder, "console.log");
  const log = new RollingLog(path);
  for (const letter of ["a", "b", "c"]) log.write(Buffer.alloc(mebibyte, letter));
  log.write(Buffer.from("the end"));
  log.close();
  log.close();
  expect((await readdir(folder)).sort()).toEqual(["console.log", "console.log.1"]);
  expect(await readFile(path, "utf8")).toBe("the end");
  expect((await stat(`${path}.1`)).size).toBe(mebibyte);
  expect((await readFile(`${path}.1`, "utf8"))[0]).toBe("c");
  expect((await stat(path)).mode & 0o777).toBe(0o600);
});

test("a log goes on where an earlier one has ended, also a full one", async () => {
  const path = join(await makeFolder(), "console.log");
  await writeFile(path, "before ");
  new RollingLog(path).write(Buffer.from("after"));
  expect(await readFile(path, "utf8")).toBe("before after");
  await writeFile(path, Buffer.alloc(mebibyte));
  new RollingLog(path).write(Buffer.from("new"));
  expect(await readFile(path, "utf8")).toBe("new");
});

test("a log that cannot be stored loses what comes, and nothing else", async () => {
  const log = new RollingLog(join(await makeFolder(), "missing", "console.log"));
  expect(() => log.write(Buffer.from("x"))).not.toThrow();
});

test("the end of a file is text that a terminal would not obey, and empty without a file", async () => {
  const path = join(await makeFolder(), "console.log");
  await writeFile(path, "a line\r\n\u001b[31mred\u0007\r\n");
  expect(tailOf(path, 100)).toBe("a line\n?[31mred?");
  expect(tailOf(path, 4)).toBe("d?");
  expect(tailOf(`${path}.missing`, 4)).toBe("");
  expect(visibleText(Buffer.from("\u009b2J"))).toBe("?2J");
});
