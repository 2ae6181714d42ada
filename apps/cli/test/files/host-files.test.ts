import { once } from "node:events";
import {
  chmodSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { FileEvent, FileRecord } from "@box/runtime";
import { describe, expect, onTestFinished, test } from "vitest";
import { placeFiles } from "../../src/files/place-files.ts";
import { readHostFiles } from "../../src/files/read-host-files.ts";
import { writeHostFiles } from "../../src/files/write-host-files.ts";

const { signal } = new AbortController();

function testFolder(): { into: string; at: (path: string) => string } {
  const folder = mkdtempSync(join(tmpdir(), "box-copy-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const into = join(folder, "into");
  mkdirSync(into);
  return { into, at: (path) => join(folder, path) };
}

const sent = (
  kind: FileRecord["kind"],
  path: string,
  more: { mode?: number; content?: string; link?: string } = {},
): FileEvent[] => {
  const { mode = 0o755, content = "", link = "" } = more;
  const record = {
    ...{ kind, mode, uid: 12345, gid: 54321, mtimeNs: 10n ** 18n, sizeBytes: content.length },
    ...{ path: Buffer.from(path, "latin1"), linkTarget: Buffer.from(link) },
  };
  const bytes = Buffer.from(content);
  return [
    { type: "record", record },
    ...(content === "" ? [] : [{ type: "content", bytes } as const]),
  ];
};

async function* stream(...events: readonly FileEvent[][]): AsyncGenerator<FileEvent> {
  yield* events.flat();
}

function write(into: string, ...events: readonly FileEvent[][]): Promise<void> {
  const limits = { maxEntries: 100, maxBytes: 10_000_000 };
  return writeHostFiles(into, stream(...events), { keepsOwners: false, limits, signal });
}

const refusal = { code: "CLI_COPY_REFUSED", kind: "denied" };

describe("files of this host", () => {
  test("come out as they are, and are the same where they are written", async () => {
    const { into, at } = testFolder();
    mkdirSync(at("tree/closed"), { recursive: true });
    writeFileSync(at("tree/closed/large"), Buffer.alloc(700_000, "x"), { mode: 0o640 });
    symlinkSync("closed/large", at("tree/link"));
    writeFileSync(Buffer.from(`${at("tree")}/\xe4`, "latin1"), "name that is not UTF-8");
    const socket = createServer().listen(at("tree/socket"));
    onTestFinished(() => void socket.close());
    await once(socket, "listening");
    utimesSync(at("tree/closed/large"), 1e9, 1e9);
    chmodSync(at("tree/closed"), 0o555);
    utimesSync(at("tree/closed"), 1e9, 1e9);
    onTestFinished(() => chmodSync(at("tree/closed"), 0o755));
    const leftOut: string[] = [];
    const onLeftOut = (path: string) => leftOut.push(path);
    const files = readHostFiles(at("tree"), Buffer.from("copy"), {
      follows: false,
      signal,
      onLeftOut,
    });
    const limits = { maxEntries: 100, maxBytes: 10_000_000 };
    await writeHostFiles(into, files, { keepsOwners: false, limits, signal });
    onTestFinished(() => chmodSync(join(into, "copy/closed"), 0o755));
    expect(leftOut).toEqual([at("tree/socket")]);
    expect(readdirSync(join(into, "copy"), { encoding: "latin1" }).sort()).toEqual([
      "closed",
      "link",
      "\xe4",
    ]);
    for (const path of ["closed", "closed/large"]) {
      const [one, two] = [at("tree"), join(into, "copy")].map((root) =>
        lstatSync(join(root, path)),
      );
      expect([two?.mode, two?.mtimeMs, two?.size]).toEqual([one?.mode, one?.mtimeMs, one?.size]);
    }
    expect(readFileSync(join(into, "copy/closed/large")).equals(Buffer.alloc(700_000, "x"))).toBe(
      true,
    );
    expect(readlinkSync(join(into, "copy/link"))).toBe("closed/large");
  });

  test("a file with several names has them where it is written too, whatever the tree is called", async () => {
    const { into, at } = testFolder();
    mkdirSync(at("tree/d"), { recursive: true });
    writeFileSync(at("tree/d/a"), "content");
    linkSync(at("tree/d/a"), at("tree/e"));
    linkSync(at("tree/d/a"), at("outside"));
    const options = { follows: false, signal, onLeftOut: () => {} };
    const limits = { maxEntries: 100, maxBytes: 10 };
    for (const name of ["copy", undefined]) {
      const files = readHostFiles(at("tree"), Buffer.from("tree"), options);
      const placed = placeFiles(files, name === undefined ? undefined : Buffer.from(name));
      await writeHostFiles(into, placed, { keepsOwners: false, limits, signal });
      const [a, e] = ["d/a", "e"].map((path) => lstatSync(join(into, name ?? "", path)));
      expect([a?.nlink, e?.ino]).toEqual([2, a?.ino]);
      expect(readFileSync(join(into, name ?? "", "e"), "utf8")).toBe("content");
    }
    expect(readdirSync(into).sort()).toEqual(["copy", "d", "e"]);
  });

  test("a link is followed only at the top, and only when it is to be", async () => {
    const { at } = testFolder();
    mkdirSync(at("d"));
    symlinkSync("d", at("link"));
    symlinkSync("d", at("d/own"));
    const kinds = async (follows: boolean) => {
      const found: string[] = [];
      const files = readHostFiles(at("link"), Buffer.from("l"), {
        follows,
        signal,
        onLeftOut: () => {},
      });
      for await (const event of files) if (event.type === "record") found.push(event.record.kind);
      return found;
    };
    expect(await kinds(false)).toEqual(["symlink"]);
    expect(await kinds(true)).toEqual(["directory", "symlink"]);
  });

  test("what cannot be read is told with its path", async () => {
    const files = readHostFiles("/no/such/file", Buffer.from("f"), {
      follows: false,
      signal,
      onLeftOut: () => {},
    });
    await expect(files.next()).rejects.toMatchObject({
      code: "IO_NOT_FOUND",
      message: expect.stringContaining("/no/such/file"),
    });
  });
});

describe("files of a box", () => {
  test.each([
    ["a file that it has not sent", "stays"],
    ["a link that it has sent", "link"],
    ["a folder", "d"],
  ])("are no hard links to %s", async (_, target) => {
    const { into } = testFolder();
    writeFileSync(join(into, "stays"), "stays");
    const before = [sent("directory", "d"), sent("symlink", "link", { link: "stays" })];
    const writing = write(into, ...before, sent("hardlink", "h", { link: target }));
    await expect(writing).rejects.toMatchObject(refusal);
    expect(lstatSync(join(into, "stays")).nlink).toBe(1);
  });

  test("take the place of files and links, and folders that are there stay as they are", async () => {
    const { into, at } = testFolder();
    mkdirSync(join(into, "d"), { mode: 0o711 });
    writeFileSync(join(into, "d/stays"), "stays");
    writeFileSync(at("victim"), "victim");
    symlinkSync(at("victim"), join(into, "d/f"));
    await write(
      into,
      sent("directory", "d", { mode: 0o777 }),
      sent("file", "d/f", { content: "new" }),
    );
    expect(lstatSync(join(into, "d/f")).isFile()).toBe(true);
    expect(readFileSync(join(into, "d/f"), "utf8")).toBe("new");
    expect(readFileSync(at("victim"), "utf8")).toBe("victim");
    expect(lstatSync(join(into, "d")).mode & 0o777).toBe(0o711);
    expect(readdirSync(join(into, "d")).sort()).toEqual(["f", "stays"]);
  });

  test("have no set-id bits and the owner who copies", async () => {
    const { into } = testFolder();
    await write(into, sent("file", "f", { mode: 0o6755, content: "x" }));
    const { mode, uid } = lstatSync(join(into, "f"));
    expect([mode & 0o7777, uid]).toEqual([0o755, process.getuid?.()]);
  });

  test("are never written through a link, one that the box has sent or one that was there", async () => {
    const { into, at } = testFolder();
    mkdirSync(at("outside"));
    const link = sent("symlink", "way", { link: at("outside") });
    await expect(write(into, link, sent("file", "way/f", { content: "x" }))).rejects.toMatchObject(
      refusal,
    );
    await expect(
      write(into, sent("directory", "way"), sent("file", "way/f")),
    ).rejects.toMatchObject(refusal);
    symlinkSync(at("outside"), join(into, "there"));
    await expect(
      write(into, sent("directory", "there"), sent("file", "there/f", { content: "x" })),
    ).rejects.toMatchObject(refusal);
    await expect(write(into, sent("file", "there/f"))).rejects.toMatchObject(refusal);
    expect(readdirSync(at("outside"))).toEqual([]);
  });

  test.each([
    [
      "a folder that becomes a link",
      [sent("directory", "d"), sent("symlink", "d", { link: "/" }), sent("file", "d/x")],
    ],
    ["a file that becomes a folder", [sent("file", "f"), sent("directory", "f")]],
    [
      "a link that becomes a folder",
      [sent("symlink", "f", { link: "/" }), sent("directory", "f"), sent("file", "f/x")],
    ],
    ["a file sent twice", [sent("file", "f"), sent("file", "f")]],
    ["a folder that comes late", [sent("file", "d/f"), sent("directory", "d")]],
  ])("are refused: %s", async (_, events) => {
    const { into } = testFolder();
    await expect(write(into, ...events)).rejects.toMatchObject(refusal);
  });

  test("in the place of a folder are refused, and a file that is cut off is not there", async () => {
    const { into } = testFolder();
    mkdirSync(join(into, "d"));
    await expect(write(into, sent("file", "d"))).rejects.toMatchObject(refusal);
    const cut = async function* (): AsyncGenerator<FileEvent> {
      yield* sent("file", "f", { content: "half" });
      throw new Error("the machine died");
    };
    const limits = { maxEntries: 9, maxBytes: 99 };
    const writing = writeHostFiles(into, cut(), { keepsOwners: false, limits, signal });
    await expect(writing).rejects.toThrow("the machine died");
    expect(readdirSync(into)).toEqual(["d"]);
    expect(existsSync(join(into, "f"))).toBe(false);
  });

  test("names are counted too, and what a file says of its size before it is written", async () => {
    const { into } = testFolder();
    const folders = Array.from({ length: 15 }, (_, index) => {
      const path = Array.from({ length: index + 1 }, () => "n".repeat(250)).join("/");
      return sent("directory", path);
    });
    const deep = "n".repeat(250).concat("/");
    const files = Array.from({ length: 400 }, (_, index) =>
      sent("file", `${deep.repeat(15)}${"f".repeat(200)}${index}`),
    );
    const limits = { maxEntries: 1000, maxBytes: 10 };
    const writing = writeHostFiles(into, stream(...folders, ...files), {
      ...{ keepsOwners: false, limits, signal },
    });
    await expect(writing).rejects.toMatchObject({
      code: "CLI_COPY_LIMIT",
      details: { limit: 2 ** 20, what: "bytes of names" },
      hint: expect.stringContaining("copy-entries=2000"),
    });
    const [record] = sent("file", "large");
    if (record?.type !== "record") throw new Error("no record");
    const large = { ...record, record: { ...record.record, sizeBytes: 11 } };
    const options = { keepsOwners: false, limits, signal };
    await expect(writeHostFiles(into, stream([large]), options)).rejects.toMatchObject({
      code: "CLI_COPY_LIMIT",
      details: { limit: 10, what: "bytes" },
    });
    expect(readdirSync(into)).toEqual(["n".repeat(250)]);
  });

  test("a full or missing place is told with its path", async () => {
    const { into } = testFolder();
    await expect(write(join(into, "none"), sent("file", "f"))).rejects.toMatchObject({
      code: "IO_NOT_FOUND",
    });
  });
});

test("files are placed under another name, or without their folder", async () => {
  const events = [
    sent("directory", "top"),
    sent("file", "top/f", { content: "x" }),
    sent("file", "other", { content: "y" }),
  ];
  const placed = async (name: string | undefined) => {
    const found: string[] = [];
    for await (const event of placeFiles(
      stream(...events),
      name === undefined ? undefined : Buffer.from(name),
    )) {
      found.push(Buffer.from(event.type === "record" ? event.record.path : event.bytes).toString());
    }
    return found;
  };
  expect(await placed("n")).toEqual(["n", "n/f", "x", "n", "y"]);
  expect(await placed(undefined)).toEqual(["f", "x"]);
});
