import { chmod, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { findQemu, isNewEnough, parseQemuVersion, readQemuVersion } from "@box/vm/qemu";
import { expect, onTestFinished, test } from "vitest";

async function makeFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "box-find-"));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

async function addProgram(folder: string, text: string): Promise<string> {
  const path = join(folder, "qemu-system-x86_64");
  await writeFile(path, `#!/bin/sh\n${text}\n`);
  await chmod(path, 0o755);
  return path;
}

test("QEMU is the first program of its name, not a folder or a file that cannot be run", async () => {
  const [first, second, third, fourth] = await Promise.all([1, 2, 3, 4].map(makeFolder));
  const folders = [first, second, third, fourth].map(String);
  await mkdir(join(String(first), "qemu-system-x86_64"));
  await writeFile(join(String(second), "qemu-system-x86_64"), "");
  const path = await addProgram(String(third), "exit 0");
  await addProgram(String(fourth), "exit 0");
  expect(await findQemu(["bin", ...folders])).toMatchObject({ path });
  expect(await findQemu(folders.slice(0, 2))).toBeUndefined();
});

test("another program in its place has another identity", async () => {
  const folder = await makeFolder();
  await addProgram(folder, "exit 0");
  const before = await findQemu([folder]);
  await addProgram(folder, "exit 10");
  const after = await findQemu([folder]);
  expect(after?.path).toBe(before?.path);
  expect(after?.identity).not.toBe(before?.identity);
});

test("a version is what the program prints", async () => {
  const folder = await makeFolder();
  const good = await addProgram(folder, "echo 'QEMU emulator version 7.2.22 (Debian 1:7.2+dfsg)'");
  expect(await readQemuVersion(good)).toBe("7.2.22");
  const failing = await addProgram(await makeFolder(), "echo 'QEMU emulator version 7.2'; exit 3");
  expect(await readQemuVersion(failing)).toBeUndefined();
  const other = await addProgram(await makeFolder(), "echo hello");
  expect(await readQemuVersion(other)).toBeUndefined();
  expect(parseQemuVersion("QEMU emulator version 10.1\n")).toBe("10.1");
});

test.each([
  ["5.9", false],
  ["6.1.9", false],
  ["6.2", true],
  ["6.10.1", true],
  ["10.0", true],
])("version %s is new enough: %s", (version, isEnough) => {
  expect(isNewEnough(version)).toBe(isEnough);
});
