import type { FileEvent, FileRecord } from "@box/runtime";
import { filesToTar, tarToFiles } from "@box/runtime";
import { buildTar, type TarEntry, TarParser } from "@box/tar";
import { describe, expect, test } from "vitest";
import { openWithEngine } from "./engine-home.ts";

const none = new Uint8Array(0);

function entry(type: TarEntry["type"], path: string, more: Partial<TarEntry> = {}): TarEntry {
  return {
    ...{ type, path: Buffer.from(path), mode: 0o644, uid: 1, gid: 2, sizeBytes: 0 },
    ...{ mtime: { seconds: -1, nanoseconds: 5 }, linkPath: none, xattrs: [] },
    ...{ deviceMajor: 0, deviceMinor: 0 },
    ...more,
  };
}

const file = (path: string, text: string) => {
  const content = Buffer.from(text);
  return { entry: entry("file", path, { sizeBytes: content.length }), content };
};
const link = (type: "symlink" | "hardlink", path: string, to: string) => ({
  entry: entry(type, path, { linkPath: Buffer.from(to) }),
});

async function* inPieces(bytes: Uint8Array, pieceBytes: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += pieceBytes) yield bytes.subarray(at, at + pieceBytes);
}

async function unpack(bytes: Uint8Array, known: readonly string[] = [], pieceBytes = 700) {
  const isFolder = async (path: Uint8Array) => known.includes(Buffer.from(path).toString());
  const found: { record: FileRecord; text: string }[] = [];
  for await (const event of tarToFiles(inPieces(bytes, pieceBytes), { isFolder })) {
    const last = found.at(-1);
    if (event.type === "record") found.push({ record: event.record, text: "" });
    else if (last !== undefined) last.text += Buffer.from(event.bytes).toString();
  }
  return found;
}

const namesOf = (found: Awaited<ReturnType<typeof unpack>>) =>
  found.map(({ record, text }) => `${record.kind} ${Buffer.from(record.path)} ${text}`.trim());

describe("an archive", () => {
  test("becomes files, whose names are relative and whose folders come first", async () => {
    const tar = buildTar([
      { entry: entry("directory", "./") },
      file("/a/b/f", "content"),
      file("./a/g", "more"),
      link("symlink", "a/s", "/etc/passwd"),
      link("hardlink", "a/h", "./a/b/f"),
    ]);
    const found = await unpack(tar, ["a"]);
    expect(namesOf(found)).toEqual([
      "directory a/b",
      "file a/b/f content",
      "file a/g more",
      "symlink a/s",
      "hardlink a/h",
    ]);
    expect(found[1]?.record).toMatchObject({ mode: 0o644, uid: 1, gid: 2, mtimeNs: -999_999_995n });
    expect(found.slice(3).map(({ record }) => Buffer.from(record.linkTarget).toString())).toEqual([
      "/etc/passwd",
      "a/b/f",
    ]);
    expect(namesOf(await unpack(tar, [], 100_000))[0]).toBe("directory a");
  });

  test("of files has the same in it when it is unpacked", async () => {
    const record = (kind: FileRecord["kind"], path: string, sizeBytes = 0): FileRecord => ({
      ...{ kind, path: Buffer.from(path), mode: 0o751, uid: 3, gid: 4, sizeBytes },
      ...{ mtimeNs: -5n, linkTarget: kind === "symlink" ? Buffer.from("to") : none },
    });
    const events: FileEvent[] = [
      { type: "record", record: record("directory", "d") },
      { type: "record", record: record("file", "d/f", 600) },
      { type: "content", bytes: Buffer.alloc(600, "x") },
      { type: "record", record: record("symlink", "d/s") },
      { type: "record", record: record("file", "d/last", 1) },
      { type: "content", bytes: Buffer.from("y") },
    ];
    const stream = async function* () {
      yield* events;
    };
    const parts: Uint8Array[] = [];
    for await (const part of filesToTar(stream())) parts.push(part);
    const tar = Buffer.concat(parts);
    expect(tar.length % 512).toBe(0);
    const found = await unpack(tar);
    const plain = ({ path, linkTarget, ...rest }: FileRecord) => ({
      ...rest,
      path: Buffer.from(path).toString(),
      linkTarget: Buffer.from(linkTarget).toString(),
    });
    expect(found.map((each) => plain(each.record))).toEqual(
      events.flatMap((event) => (event.type === "record" ? [plain(event.record)] : [])),
    );
    expect(found.map(({ text }) => text.length)).toEqual([0, 600, 0, 1]);
    const names: string[] = [];
    new TarParser({ entry: ({ path }) => names.push(Buffer.from(path).toString()) }).push(tar);
    expect(names).toEqual(["d/", "d/f", "d/s", "d/last"]);
  });

  test.each([
    ["VM_FILE_FAILED", buildTar([file("a/../../f", "x")])],
    ["VM_FILE_FAILED", buildTar([file("f", "x"), link("hardlink", "h", "../f")])],
    ["VM_FILE_UNSUPPORTED", buildTar([{ entry: entry("fifo", "p") }])],
    ["VM_FILE_UNSUPPORTED", buildTar([{ entry: entry("char", "c") }])],
    ["TAR_TRUNCATED", buildTar([file("f", "x".repeat(600))]).subarray(0, 1000)],
    ["TAR_BAD_CHECKSUM", Buffer.alloc(1024, "x")],
  ])("is refused with %s", async (code, tar) => {
    await expect(unpack(tar)).rejects.toMatchObject({ code });
  });
});

describe("files of a box", () => {
  test("are written, looked at and read", async () => {
    const { boxes } = await openWithEngine();
    await boxes.start("web");
    const tar = buildTar([file("d/f", "content")]);
    const isFolder = async () => false;
    await boxes.writeFiles("web", "/tmp", tarToFiles(inPieces(tar, 512), { isFolder }), {
      keepsOwners: true,
    });
    expect(await boxes.lookAt("web", "/tmp/d/f")).toMatchObject({ kind: "file", uid: 1 });
    expect(await boxes.lookAt("web", "/tmp/none")).toBeUndefined();
    let text = "";
    for await (const event of await boxes.readFiles("web", "/tmp/d")) {
      text +=
        event.type === "record" ? `${Buffer.from(event.record.path)} ` : Buffer.from(event.bytes);
    }
    expect(text).toBe("d d/f content");
    await expect(boxes.readFiles("web", "/none")).rejects.toMatchObject({
      code: "VM_FILE_NOT_FOUND",
    });
    const broken = async function* (): AsyncGenerator<FileEvent> {
      yield* [];
      throw new Error("the source broke");
    };
    await expect(boxes.writeFiles("web", "/tmp", broken())).rejects.toThrow("the source broke");
  });
});
