import { buildTar, type TarEntry, type TarTime } from "@box/tar";
import fc from "fast-check";
import { expect, test } from "vitest";
import { bytes, readTar } from "./archives.ts";

const name = (maxLength: number): fc.Arbitrary<Uint8Array> =>
  fc.uint8Array({ min: 1, minLength: 1, maxLength });
const path = fc.oneof(
  name(110),
  fc.array(name(90), { minLength: 1, maxLength: 5 }).map((parts) => {
    return Uint8Array.from(parts.flatMap((part) => [...part, 0x2f]).slice(0, -1));
  }),
);
const time: fc.Arbitrary<TarTime> = fc.record({
  // A header cannot tell -0 from 0.
  seconds: fc
    .oneof(
      fc.integer(),
      fc.maxSafeInteger().map((value) => Math.trunc(value / 2)),
    )
    .map((seconds) => seconds + 0),
  nanoseconds: fc.oneof(fc.constant(0), fc.nat(999_999_999)),
});
const id = fc.oneof(fc.nat(70_000), fc.nat(0xffffffff));
const xattr = fc.record({
  name: name(20).map((suffix) => {
    const clean = suffix.map((byte) => (byte === 0x3d ? 0x2d : byte));
    return Uint8Array.of(...bytes("user."), ...clean);
  }),
  value: fc.uint8Array({ maxLength: 200 }),
});

const base = {
  path,
  mode: fc.nat(0o7777),
  uid: id,
  gid: id,
  mtime: time,
  xattrs: fc.uniqueArray(xattr, { maxLength: 3, selector: (one) => String(one.name) }),
  sizeBytes: fc.constant(0),
  linkPath: fc.constant(new Uint8Array(0)),
  deviceMajor: fc.constant(0),
  deviceMinor: fc.constant(0),
};
const file = fc.uint8Array({ maxLength: 1100 }).chain((content) =>
  fc.record({
    entry: fc.record({
      ...base,
      type: fc.constant("file" as const),
      sizeBytes: fc.constant(content.byteLength),
    }),
    content: fc.constant(content),
  }),
);
const other = fc
  .oneof(
    fc.record({ ...base, type: fc.constantFrom("directory" as const, "fifo" as const) }),
    fc.record({
      ...base,
      type: fc.constantFrom("symlink" as const, "hardlink" as const),
      linkPath: path,
    }),
    fc.record({
      ...base,
      type: fc.constantFrom("char" as const, "block" as const),
      deviceMajor: fc.nat(4095),
      deviceMinor: fc.nat(1_048_575),
    }),
  )
  .map((entry) => ({ entry, content: new Uint8Array(0) }));

const written = fc.array(fc.oneof(file, other), { maxLength: 6 });

test("reading what was written gives the same entries, however it is cut", () => {
  fc.assert(
    fc.property(written, fc.integer({ min: 1, max: 2000 }), (entries, chunkBytes) => {
      const archive = buildTar(entries);
      expect(archive.byteLength % 512).toBe(0);
      const read = readTar(archive, { chunkBytes });
      expect(read.map(({ entry, content }) => ({ entry, content }))).toEqual(
        entries as { entry: TarEntry; content: Uint8Array }[],
      );
      expect(buildTar(read)).toEqual(archive);
    }),
  );
});

test("any change of a header's byte is noticed or harmless, never a crash", () => {
  fc.assert(
    fc.property(written, fc.nat(), fc.nat(255), (entries, at, value) => {
      const archive = buildTar(entries);
      archive[at % archive.byteLength] = value;
      try {
        readTar(archive);
      } catch (error) {
        expect(error).toMatchObject({ code: expect.stringMatching(/^TAR_/) });
      }
    }),
  );
});
