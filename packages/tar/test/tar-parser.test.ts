import { buildTar, TarParser, type TarWarning, tarHeader } from "@box/tar";
import { describe, expect, test } from "vitest";
import { bytes, concat, entry, padded, pax, rawHeader, readTar, seal } from "./archives.ts";

const code = (name: string): unknown => expect.objectContaining({ code: name });
const file = rawHeader({ 0: "f", 156: "0", 257: "ustar\u000000" });

describe("TarParser reads", () => {
  test("content in order, however it is cut", () => {
    const content = Uint8Array.from({ length: 1500 }, (_, i) => i % 251);
    const archive = buildTar([
      { entry: entry({ sizeBytes: 1500 }), content },
      { entry: entry({ path: bytes("b"), sizeBytes: 512 }), content: content.subarray(0, 512) },
    ]);
    for (const chunkBytes of [1, 7, 511, 512, 513, 5000]) {
      const read = readTar(archive, { chunkBytes });
      expect(read.map((one) => one.content)).toEqual([content, content.subarray(0, 512)]);
      expect(read.map((one) => one.runs)).toEqual([[[0, 1500]], [[0, 512]]]);
      expect(read.every((one) => one.ended)).toBe(true);
    }
  });

  test("an archive when nobody asks for content", () => {
    const seen: string[] = [];
    const parser = new TarParser({ entry: ({ path }) => seen.push(String(path)) });
    parser.push(buildTar([{ entry: entry({ sizeBytes: 3 }), content: bytes("abc") }]));
    parser.finish();
    expect(seen).toHaveLength(1);
  });

  test("entries behind content that is passed over", () => {
    const content = new Uint8Array(1500).fill(7);
    const archive = buildTar([
      { entry: entry({ sizeBytes: 1500 }), content },
      { entry: entry({ path: bytes("b"), sizeBytes: 3 }), content: bytes("abc") },
    ]);
    const seen: string[] = [];
    const parser = new TarParser({
      entry: ({ path }) => seen.push(new TextDecoder().decode(path)),
      data: (chunk, offset) => seen.push(`${chunk.byteLength} at ${offset}`),
      end: () => seen.push("end"),
    });
    expect(parser.skippableBytes).toBe(0);
    parser.push(archive.subarray(0, 512));
    expect(parser.skippableBytes).toBe(1500);
    for (const bytes of [0, -1, 1501, Number.NaN]) {
      expect(() => parser.skip(bytes)).toThrow(/may be/);
    }
    parser.skip(1000);
    parser.push(archive.subarray(1512, 1522));
    expect(parser.skippableBytes).toBe(490);
    parser.skip(490);
    expect([parser.skippableBytes, parser.isEnded]).toEqual([0, false]);
    parser.push(archive.subarray(2012));
    parser.finish();
    expect(parser.isEnded).toBe(true);
    expect(seen).toEqual(["a", "10 at 1000", "end", "b", "3 at 0", "end"]);
  });

  test("a cut entry as such when its content was passed over", () => {
    const parser = new TarParser({ entry: () => {} });
    parser.push(
      buildTar([{ entry: entry({ sizeBytes: 3 }), content: bytes("abc") }]).slice(0, 512),
    );
    parser.skip(2);
    expect(() => parser.finish()).toThrow(code("TAR_TRUNCATED"));
  });

  test("entries that outlive the chunk they came in, also when it is a Buffer", () => {
    const archive = Buffer.from(
      concat(
        pax(["SCHILY.xattr.user.a=value", "linkpath=target"]),
        rawHeader({ 0: "name", 156: "2" }),
      ),
    );
    const [read] = readTar(archive);
    archive.fill(0);
    expect(read?.entry).toMatchObject({
      path: bytes("name"),
      linkPath: bytes("target"),
      xattrs: [{ name: bytes("user.a"), value: bytes("value") }],
    });
  });

  test("the old format, where a slash at the end makes a directory", () => {
    const [read] = readTar(rawHeader({ 0: "dir/", 100: "755 \0", 329: "xx" }));
    expect(read?.entry).toMatchObject({ type: "directory", mode: 0o755, path: bytes("dir/") });
  });

  test("a checksum made from signed bytes", () => {
    const header = file.slice();
    header.set([0xc3, 0xa9], 0);
    expect(readTar(seal(header, "signed"))[0]?.entry.path).toEqual(bytes("é"));
  });

  test("a ustar prefix, and the shorter one of star", () => {
    const ustar = rawHeader({ 0: "f", 156: "0", 257: "ustar\u000000", 345: "p".repeat(155) });
    expect(readTar(ustar)[0]?.entry.path).toEqual(bytes(`${"p".repeat(155)}/f`));
    const star = rawHeader({
      0: "f",
      156: "0",
      257: "ustar\u000000",
      345: "p".repeat(131),
      476: "00000000001 ",
      508: "tar\0",
    });
    expect(readTar(star)[0]?.entry.path).toEqual(bytes(`${"p".repeat(131)}/f`));
  });

  test("no prefix where GNU tar keeps other times", () => {
    const gnu = rawHeader({ 0: "f", 156: "0", 257: "ustar  \0", 345: "13371337133" });
    expect(readTar(gnu)[0]?.entry.path).toEqual(bytes("f"));
  });

  test("base-256 numbers, negative ones too", () => {
    const large = new Uint8Array(12).fill(0, 0, 12);
    large.set([0x80, 0, 0, 0, 0, 0, 0, 0, 0x7f, 0xff, 0xff, 0xff]);
    const negative = new Uint8Array(12).fill(0xff);
    const uid = Uint8Array.of(0x80, 0, 0, 0, 0xff, 0xff, 0xff, 0xff);
    const [read] = readTar(rawHeader({ 0: "f", 108: uid, 136: negative, 156: "5" }));
    expect(read?.entry).toMatchObject({ uid: 0xffffffff, mtime: { seconds: -1, nanoseconds: 0 } });
    const [other] = readTar(rawHeader({ 0: "f", 136: large, 156: "5" }));
    expect(other?.entry.mtime.seconds).toBe(2 ** 31 - 1);
  });

  test("numbers with blanks around them and rubbish behind", () => {
    const [read] = readTar(rawHeader({ 0: "f", 100: "  644 \0x", 108: " 17\0\0zz", 156: "0" }));
    expect(read?.entry).toMatchObject({ mode: 0o644, uid: 0o17 });
  });

  test("links, devices and directories without content, whatever their size says", () => {
    for (const type of ["1", "2", "3", "4", "5", "6"]) {
      const odd = rawHeader({
        0: "n",
        124: "00000001000\0",
        156: type,
        157: "t",
        257: "ustar\u000000",
      });
      const read = readTar(concat(odd, file));
      expect(read.map((one) => one.entry.sizeBytes)).toEqual([0, 0]);
      expect(read[1]?.entry.path).toEqual(bytes("f"));
    }
  });

  test("GNU long names and targets", () => {
    const long = "n".repeat(300);
    const archive = concat(
      rawHeader({ 0: "././@LongLink", 124: "00000000455\0", 156: "L", 257: "ustar  \0" }),
      padded(`${long}\0`),
      rawHeader({ 0: "././@LongLink", 124: "00000000454\0", 156: "K", 257: "ustar  \0" }),
      padded("t".repeat(300)),
      rawHeader({ 0: "n", 156: "2", 157: "t", 257: "ustar  \0" }),
      file,
    );
    for (const chunkBytes of [100, 10_000]) {
      const read = readTar(archive, { chunkBytes });
      expect(read[0]?.entry).toMatchObject({ path: bytes(long), linkPath: bytes("t".repeat(300)) });
      expect(read[1]?.entry.path).toEqual(bytes("f"));
    }
  });

  test("PAX records over the header, and global ones below them", () => {
    const archive = concat(
      pax(["uid=7", "path=global", "SCHILY.xattr.user.g=1", "SCHILY.xattr.user.l=1"], "g"),
      pax(["path=local/é", "gid=70000", "mtime=-1.5", "size=3", "SCHILY.xattr.user.l=a\0\n=b"]),
      file,
      padded("abc"),
      pax(["uid="]),
      file,
    );
    const [first, second] = readTar(archive);
    expect(first?.content).toEqual(bytes("abc"));
    expect(first?.entry).toMatchObject({
      path: bytes("local/é"),
      uid: 7,
      gid: 70_000,
      sizeBytes: 3,
      mtime: { seconds: -2, nanoseconds: 500_000_000 },
      xattrs: [
        { name: bytes("user.g"), value: bytes("1") },
        { name: bytes("user.l"), value: bytes("a\0\n=b") },
      ],
    });
    expect(second?.entry).toMatchObject({ path: bytes("global"), uid: 0 });
  });

  test.each([
    ["1", 1, 0],
    ["1.5", 1, 500_000_000],
    ["1.", 1, 0],
    ["0.0000000019", 0, 1],
    ["-0.0000000019", -1, 999_999_998],
    ["-3", -3, 0],
    ["-3.0000000000", -3, 0],
    ["-0.9999999999", -1, 0],
    ["4294967296.25", 4_294_967_296, 250_000_000],
  ])("the time %s, rounded down", (text, seconds, nanoseconds) => {
    const [read] = readTar(concat(pax([`mtime=${text}`]), file));
    expect(read?.entry.mtime).toEqual({ seconds, nanoseconds });
  });

  test("an empty attribute", () => {
    const [read] = readTar(concat(pax(["SCHILY.xattr.user.e="]), file));
    expect(read?.entry.xattrs).toEqual([{ name: bytes("user.e"), value: bytes("") }]);
  });

  test("a PAX header without records, and Solaris' letter for it", () => {
    const empty = rawHeader({ 0: "pax", 124: "0", 156: "X" });
    expect(readTar(concat(empty, file))).toHaveLength(1);
  });

  test("nothing of a volume's label and of a directory's listing", () => {
    const label = rawHeader({ 0: "label", 124: "00000001000\0", 156: "V" });
    const listing = rawHeader({ 0: "d", 124: "00000001000\0", 156: "D" });
    const read = readTar(
      concat(label, padded("x".repeat(512)), listing, padded("y".repeat(512)), file),
    );
    expect(read.map(({ entry: { type }, runs }) => [type, runs])).toEqual([
      ["directory", []],
      ["file", []],
    ]);
  });

  test("contiguous files as files", () => {
    expect(readTar(rawHeader({ 0: "f", 156: "7" }))[0]?.entry.type).toBe("file");
  });

  test("ACLs in text as the attribute's bytes", () => {
    const access = "user::rw-,user:lp:r--:71,user:9:-wx,group::r--,mask::rw-,other:r";
    const [read] = readTar(
      concat(
        pax([`SCHILY.acl.access=${access}`, "SCHILY.acl.default=u::rwx\ng::r-x\no::---"]),
        file,
      ),
    );
    expect(read?.entry.xattrs.map(({ name }) => name)).toEqual([
      bytes("system.posix_acl_access"),
      bytes("system.posix_acl_default"),
    ]);
    const none = [255, 255, 255, 255];
    expect([...(read?.entry.xattrs[0]?.value ?? [])]).toEqual([
      ...[2, 0, 0, 0],
      ...[1, 0, 6, 0, ...none],
      ...[2, 0, 3, 0, 9, 0, 0, 0],
      ...[2, 0, 4, 0, 71, 0, 0, 0],
      ...[4, 0, 4, 0, ...none],
      ...[16, 0, 6, 0, ...none],
      ...[32, 0, 4, 0, ...none],
    ]);
  });

  test("ACLs that only repeat the mode, or that come as an attribute too, once", () => {
    const minimal = pax(["SCHILY.acl.access=user::rw-,group::r--,other::r--"]);
    expect(readTar(concat(minimal, file))[0]?.entry.xattrs).toEqual([]);
    const both = pax(["SCHILY.acl.access=user::rw-", "SCHILY.xattr.system.posix_acl_access=raw"]);
    expect(readTar(concat(both, file))[0]?.entry.xattrs).toHaveLength(1);
  });

  test.each(["user:joe:rw-", "nobody::rw-", "user::rq-", "user:1:r--:2:3", "user:9999999999:r--"])(
    "an entry whose ACL %s has no numbers, with a warning",
    (acl) => {
      const warnings: TarWarning[] = [];
      const [read] = readTar(concat(pax([`SCHILY.acl.access=${acl}`]), file), { warnings });
      expect(read?.entry.xattrs).toEqual([]);
      expect(warnings).toEqual([
        { code: "TAR_ACL_DROPPED", key: "SCHILY.acl.access", offset: 1024 },
      ]);
    },
  );
});

describe("TarParser refuses", () => {
  const bad: [string, Uint8Array, string][] = [
    ["a wrong checksum", file.map((byte, i) => (i === 0 ? byte + 1 : byte)), "TAR_BAD_CHECKSUM"],
    ["a number that is not octal", rawHeader({ 0: "f", 108: "12x", 156: "0" }), "TAR_BAD_HEADER"],
    [
      "a negative size",
      rawHeader({ 0: "f", 124: new Uint8Array(12).fill(0xff), 156: "0" }),
      "TAR_BAD_HEADER",
    ],
    [
      "a size of 2^53",
      rawHeader({ 0: "f", 124: Uint8Array.of(0x80, 0, 0, 0, 0, 0x20, 0, 0, 0, 0, 0, 0), 156: "0" }),
      "TAR_OVER_LIMIT",
    ],
    [
      "a negative owner",
      rawHeader({ 0: "f", 108: new Uint8Array(8).fill(0xff), 156: "0" }),
      "TAR_BAD_HEADER",
    ],
    [
      "a negative device",
      rawHeader({ 0: "f", 156: "3", 257: "ustar\u000000", 329: new Uint8Array(8).fill(0xff) }),
      "TAR_BAD_HEADER",
    ],
    ["an owner of 33 bits", concat(pax(["uid=4294967296"]), file), "TAR_BAD_HEADER"],
    ["an unknown type", rawHeader({ 0: "f", 156: "M" }), "TAR_UNSUPPORTED_TYPE"],
    ["a PAX number of 2^53", concat(pax(["size=9007199254740992"]), file), "TAR_OVER_LIMIT"],
    ["a PAX number of 30 digits", concat(pax([`size=${"9".repeat(30)}`]), file), "TAR_OVER_LIMIT"],
    ["a PAX number that is none", concat(pax(["size=-1"]), file), "TAR_BAD_PAX"],
    ["a PAX time that is none", concat(pax(["mtime=1e3"]), file), "TAR_BAD_PAX"],
    ["a PAX path with a NUL", concat(pax(["path=a\0b"]), file), "TAR_BAD_PAX"],
    ["a PAX key with a NUL", concat(pax(["a\0b=c"]), file), "TAR_BAD_PAX"],
    ["a PAX record without a key", concat(pax(["=c"]), file), "TAR_BAD_PAX"],
    ["a PAX record without a value", concat(pax(["abc"]), file), "TAR_BAD_PAX"],
  ];
  for (const [what, body] of [
    ["no length", "path=x\n"],
    ["a length of 0", "0 path=x\n"],
    ["a length past the end", "99 path=x\n"],
    ["a length that ends inside", "8 path=x\n"],
    ["a length of eleven digits", "00000000010 path=x\n"],
    ["a length alone", "3"],
  ] as const) {
    const header = rawHeader({ 0: "pax", 124: body.length.toString(8), 156: "x" });
    bad.push([`a PAX record with ${what}`, concat(header, padded(body), file), "TAR_BAD_PAX"]);
  }

  test.each(bad)("%s", (_, archive, expected) => {
    for (const chunkBytes of [archive.byteLength, 3]) {
      expect(() => readTar(archive, { chunkBytes })).toThrow(code(expected));
    }
  });

  test("everything after its first failure, with the block that failed", () => {
    const parser = new TarParser({ entry: () => {} });
    const failure = expect.objectContaining({
      code: "TAR_BAD_CHECKSUM",
      kind: "corrupt",
      offset: 512,
    });
    expect(() => parser.push(concat(file, bytes("x".repeat(512))))).toThrow(failure);
    expect(() => parser.push(file)).toThrow(failure);
    expect(() => parser.finish()).toThrow(failure);
  });

  test("a handler's error, and goes on refusing", () => {
    const parser = new TarParser({
      entry: () => {
        throw new Error("full");
      },
    });
    expect(() => parser.push(file)).toThrow("full");
    expect(() => parser.push(file)).toThrow("full");
  });
});

describe("an entry's header", () => {
  test("is one block when everything fits, and has a PAX header when not", () => {
    expect(tarHeader(entry())).toHaveLength(1);
    expect(tarHeader(entry({ uid: 2_097_152 }))).toHaveLength(4);
  });
});
