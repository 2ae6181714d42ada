import { copyFile, readFile, rename, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { damageStart, isSameFile, takeFingerprint } from "../src/fingerprint.ts";
import { temporaryFolder } from "./temporary-folder.ts";

async function testFile(): Promise<string> {
  const path = join(await temporaryFolder(), "file");
  await writeFile(path, "content");
  await utimes(path, 1000, 1000);
  return path;
}

describe("isSameFile", () => {
  test("is true for a file that nobody has touched", async () => {
    const path = await testFile();
    const before = await takeFingerprint(path);
    await readFile(path);
    expect(isSameFile(before, await takeFingerprint(path))).toBe(true);
  });

  test("is false after a change of bytes, even with the same length and time", async () => {
    const path = await testFile();
    const before = await takeFingerprint(path);
    await writeFile(path, "CONTENT");
    await utimes(path, 1000, 1000);
    expect(isSameFile(before, await takeFingerprint(path))).toBe(false);
  });

  test("is false after a change of the time alone", async () => {
    const path = await testFile();
    const before = await takeFingerprint(path);
    await utimes(path, 1000, 1001);
    expect(isSameFile(before, await takeFingerprint(path))).toBe(false);
  });

  test("is false for an equal file that took its place", async () => {
    const path = await testFile();
    const before = await takeFingerprint(path);
    await copyFile(path, `${path}.copy`);
    await utimes(`${path}.copy`, 1000, 1000);
    await rename(`${path}.copy`, path);
    expect(isSameFile(before, await takeFingerprint(path))).toBe(false);
  });
});

test("damageStart overwrites the first bytes with zeros and leaves the rest", async () => {
  const path = await testFile();
  await damageStart(path, 3);
  expect(await readFile(path, "latin1")).toBe("\0\0\0tent");
});
