import { expect, test } from "vitest";
import type { FileRecord } from "../src/files/file-event.ts";
import { SentFiles } from "../src/files/sent-files.ts";

const record = (kind: FileRecord["kind"], path: string, target = ""): FileRecord => ({
  ...{ kind, mode: 0o644, uid: 0, gid: 0, mtimeNs: 0n, sizeBytes: 0 },
  ...{ path: Buffer.from(path), linkTarget: Buffer.from(target) },
});

test("a guest may link to files that it has sent, and to nothing else", () => {
  const sent = new SentFiles();
  expect(sent.takes(record("hardlink", "h", "f"))).toBe(false);
  for (const [kind, path] of [
    ["file", "f"],
    ["directory", "d"],
    ["symlink", "l"],
  ] as const) {
    expect(sent.takes(record(kind, path, kind === "symlink" ? "x" : ""))).toBe(true);
  }
  const taken = ["f", "d", "l", "h", "../f"].map((to) => sent.takes(record("hardlink", "h", to)));
  expect(taken).toEqual([true, false, false, false, false]);
});

test("what a guest lets the host remember is bounded", () => {
  const sent = new SentFiles(10);
  expect(sent.takes(record("file", "123456"))).toBe(true);
  expect(sent.takes(record("file", "abcdef"))).toBe(true);
  expect(sent.takes(record("hardlink", "h", "123456"))).toBe(true);
  expect(sent.takes(record("hardlink", "h", "abcdef"))).toBe(false);
});
