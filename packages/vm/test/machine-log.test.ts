import { appendFileSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readMachineLog } from "@box/vm";
import { expect, onTestFinished, test } from "vitest";
import { RollingLog } from "../src/qemu/supervisor/rolling-log.ts";

function logFolder() {
  const folder = mkdtempSync(join(tmpdir(), "box-log-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return { folder, path: join(folder, "output.log") };
}

async function textOf(chunks: AsyncIterable<Uint8Array>): Promise<string> {
  let text = "";
  for await (const chunk of chunks) text += Buffer.from(chunk).toString("latin1");
  return text;
}

test("a log that is not there is empty", async () => {
  const { folder } = logFolder();
  expect(await textOf(readMachineLog(folder, "console"))).toBe("");
});

test.each([
  [undefined, "a\nb\nc\n"],
  [0, ""],
  [1, "c\n"],
  [2, "b\nc\n"],
  [3, "a\nb\nc\n"],
  [9, "a\nb\nc\n"],
])("the last %j lines", async (tailLines, wanted) => {
  const { folder, path } = logFolder();
  appendFileSync(path, "a\nb\nc\n");
  const options = tailLines === undefined ? {} : { tailLines };
  expect(await textOf(readMachineLog(folder, "output", options))).toBe(wanted);
});

test("a last line without an end counts", async () => {
  const { folder, path } = logFolder();
  appendFileSync(path, "a\nb\nc");
  expect(await textOf(readMachineLog(folder, "output", { tailLines: 2 }))).toBe("b\nc");
});

test("both files of a log are read, the older one first", async () => {
  const { folder, path } = logFolder();
  const log = new RollingLog(path);
  const line = (n: number) => `${String(n).padStart(15, "0")}\n`;
  const all = Array.from({ length: 100_000 }, (_, n) => line(n)).join("");
  log.write(Buffer.from(all));
  log.close();
  expect(all.length).toBeGreaterThan(1024 * 1024);
  expect(await textOf(readMachineLog(folder, "output"))).toBe(all);
  const tail = await textOf(readMachineLog(folder, "output", { tailLines: 80_000 }));
  expect(tail).toBe(all.slice(20_000 * 16));
});

test("following gives what is added, over the end of a file, until it is over", async () => {
  const { folder, path } = logFolder();
  const log = new RollingLog(path);
  log.write(Buffer.from("first\n"));
  let looks = 0;
  const block = Buffer.alloc(700_000, "x");
  const follow = async () => {
    looks += 1;
    if (looks <= 3) log.write(block);
    return looks === 4;
  };
  const text = await textOf(readMachineLog(folder, "output", { follow, tailLines: 1 }));
  log.close();
  expect(looks).toBe(4);
  expect(text.length).toBe(6 + 3 * block.length);
});

test("following stops with the signal's reason", async () => {
  const { folder } = logFolder();
  const controller = new AbortController();
  const follow = async () => false;
  const { signal } = controller;
  const reading = textOf(readMachineLog(folder, "output", { follow, signal }));
  setTimeout(() => controller.abort(new Error("enough")), 20);
  await expect(reading).rejects.toThrow("enough");
});
