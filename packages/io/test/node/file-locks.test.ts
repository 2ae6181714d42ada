import { describe, expect, test } from "vitest";
import { isLocked, readFileLocks } from "../../src/node/file-locks.ts";

const line = (type: string, file: string, arrow = "") =>
  `3: ${arrow}${type} ADVISORY  READ -1 ${file} 100 101`;

describe("isLocked", () => {
  test("finds an open-file-description lock by device and inode", () => {
    const locks = `1: FLOCK ADVISORY WRITE 7 fe:00:1 0 EOF\n${line("OFDLCK", "fe:00:262153")}\n`;
    expect(isLocked(locks, `${0xfe00}:262153`)).toBe(true);
    expect(isLocked(locks, `${0xfe00}:26215`)).toBe(false);
    expect(isLocked(locks, `${0xfe01}:262153`)).toBe(false);
  });

  test("finds a POSIX lock, and does not count FLOCK and waiting", () => {
    expect(isLocked(line("POSIX", "fe:00:5"), `${0xfe00}:5`)).toBe(true);
    expect(isLocked(line("FLOCK", "fe:00:5"), `${0xfe00}:5`)).toBe(false);
    expect(isLocked(line("OFDLCK", "fe:00:5", "-> "), `${0xfe00}:5`)).toBe(false);
  });

  test("knows devices with large numbers as the kernel prints them", () => {
    // major 259 (0x103), minor 66,000 (0x101d0), as glibc packs them.
    const device = (0x103n << 8n) | 0xd0n | (0x101n << 20n);
    expect(isLocked(line("OFDLCK", "103:101d0:9"), `${device}:9`)).toBe(true);
  });

  test("finds nothing where the system lists no locks", () => {
    expect(isLocked("", "1:2")).toBe(false);
  });
});

test.runIf(process.platform === "linux")("readFileLocks reads the kernel's list", async () => {
  await expect(readFileLocks()).resolves.toBeTypeOf("string");
});
