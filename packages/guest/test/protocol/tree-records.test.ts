import { encodeTreeRecord, type TreeRecord, TreeRecordDecoder } from "@box/guest/protocol";
import { describe, expect, test } from "vitest";

const bytes = (text: string) => new TextEncoder().encode(text);
const none = new Uint8Array(0);
const file: TreeRecord = {
  kind: "file",
  mode: 0o4755,
  uid: 1000,
  gid: 0xffffffff,
  mtimeNs: -1n,
  sizeBytes: 5,
  path: bytes("d/f"),
  linkTarget: none,
};
const folder: TreeRecord = { ...file, kind: "directory", sizeBytes: 0, path: bytes("d") };
const link: TreeRecord = {
  ...folder,
  kind: "symlink",
  path: bytes("l"),
  linkTarget: bytes("/etc"),
};

test.each([1, 5, 33, 1000])("records and content cut every %i bytes come back", (size) => {
  const whole = Buffer.concat([
    encodeTreeRecord(folder),
    encodeTreeRecord(file),
    bytes("hello"),
    encodeTreeRecord(link),
  ]);
  const decoder = new TreeRecordDecoder();
  const records: TreeRecord[] = [];
  let content = "";
  for (let at = 0; at < whole.length; at += size) {
    for (const event of decoder.push(whole.subarray(at, at + size))) {
      if (event.type === "record") records.push(event.record);
      else content += new TextDecoder().decode(event.bytes);
    }
  }
  expect(records).toEqual([folder, file, link]);
  expect(content).toBe("hello");
  expect(decoder.isBetweenRecords).toBe(true);
});

test("a stream that ends in content is not whole", () => {
  const decoder = new TreeRecordDecoder();
  expect([...decoder.push(encodeTreeRecord(file))]).toHaveLength(1);
  expect(decoder.isBetweenRecords).toBe(false);
});

describe("names that lead out are refused", () => {
  test.each(["", "/", "/a", "a/", "a//b", ".", "..", "a/../b", "a/.", "../a", "a\0b"])(
    "%j",
    (path) => {
      const bad = { ...file, path: bytes(path) };
      expect(() => encodeTreeRecord(bad)).toThrow(
        expect.objectContaining({ code: "GUEST_REQUEST_INVALID" }),
      );
      const placeholder = encodeTreeRecord({ ...file, path: bytes("x".repeat(path.length || 1)) });
      const wire = Uint8Array.from([...placeholder.subarray(0, 33), ...bytes(path)]);
      wire[29] = path.length;
      expect(() => [...new TreeRecordDecoder().push(wire)]).toThrow(
        expect.objectContaining({ code: "GUEST_PROTOCOL" }),
      );
    },
  );
});

test.each([
  ["a kind that is none", 0, 4],
  ["bits that are no permissions", 3, 0xff],
  ["a size of 2^63", 28, 0x80],
  ["a path of 65 kB", 30, 0xff],
])("%s is refused", (_, at, value) => {
  const wire = encodeTreeRecord(file);
  wire[at] = value;
  const padded = Buffer.concat([wire, Buffer.alloc(9000, 0x61)]);
  expect(() => [...new TreeRecordDecoder().push(padded)]).toThrow(
    expect.objectContaining({ code: "GUEST_PROTOCOL" }),
  );
});

test.each<[string, Partial<TreeRecord>]>([
  ["content of a folder", { kind: "directory", sizeBytes: 1 }],
  ["a link without a target", { kind: "symlink", sizeBytes: 0 }],
  ["a file with a target", { linkTarget: bytes("x") }],
  ["half a byte", { sizeBytes: 0.5 }],
])("does not send %s", (_, change) => {
  expect(() => encodeTreeRecord({ ...file, ...change })).toThrow(
    expect.objectContaining({ code: "GUEST_REQUEST_INVALID" }),
  );
});
