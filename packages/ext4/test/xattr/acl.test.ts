import { describe, expect, test } from "vitest";
import { decodeAcl, encodeAcl } from "../../src/xattr/acl.ts";
import { joinXattrName, splitXattrName } from "../../src/xattr/xattr-name.ts";
import { bytes } from "../tree/nodes.ts";

/** Version 2; user::rw-, user:1000:r--, group::r--, mask::r--, other::---. */
const attribute = Uint8Array.from(
  [
    [2, 0, 0, 0],
    [1, 0, 6, 0, 255, 255, 255, 255],
    [2, 0, 4, 0, 0xe8, 3, 0, 0],
    [4, 0, 4, 0, 255, 255, 255, 255],
    [16, 0, 4, 0, 255, 255, 255, 255],
    [32, 0, 0, 0, 255, 255, 255, 255],
  ].flat(),
);
const disk = Uint8Array.from(
  [
    [1, 0, 0, 0],
    [1, 0, 6, 0],
    [2, 0, 4, 0, 0xe8, 3, 0, 0],
    [4, 0, 4, 0],
    [16, 0, 4, 0],
    [32, 0, 0, 0],
  ].flat(),
);

describe("a POSIX ACL", () => {
  test("is stored as version 1 with ids only where they mean something", () => {
    expect(encodeAcl(attribute)).toEqual(disk);
  });

  test("comes back as it was given", () => {
    expect(decodeAcl(disk)).toEqual(attribute);
  });

  test.each([
    ["nothing", []],
    ["another version", [1, 0, 0, 0]],
    ["half an entry", [2, 0, 0, 0, 1, 0, 6, 0]],
    ["an unknown tag", [2, 0, 0, 0, 3, 0, 6, 0, 0, 0, 0, 0]],
  ])("with %s is refused", (_, value) => {
    expect(() => encodeAcl(Uint8Array.from(value))).toThrow(
      expect.objectContaining({ code: "EXT4_BAD_ACL" }),
    );
  });

  test.each([
    ["nothing", []],
    ["another version", [2, 0, 0, 0]],
    ["half an entry", [1, 0, 0, 0, 1, 0]],
    ["half an id", [1, 0, 0, 0, 2, 0, 4, 0, 1]],
    ["an unknown tag", [1, 0, 0, 0, 3, 0, 6, 0]],
  ])("on disk with %s is none", (_, value) => {
    expect(decodeAcl(Uint8Array.from(value))).toBeUndefined();
  });
});

describe("an attribute's name", () => {
  test.each([
    ["user.mime", 1, "mime"],
    ["system.posix_acl_access", 2, ""],
    ["system.posix_acl_default", 3, ""],
    ["trusted.overlay.opaque", 4, "overlay.opaque"],
    ["security.capability", 6, "capability"],
    ["system.nfs4_acl", 7, "nfs4_acl"],
    ["system.posix_acl_accessory", 7, "posix_acl_accessory"],
  ])("%s is stored as index %i and the rest, and read back", (name, index, suffix) => {
    const parts = splitXattrName(bytes(name));
    expect(parts).toEqual({ index, suffix: bytes(suffix) });
    expect(joinXattrName({ index, suffix: bytes(suffix) })).toEqual(bytes(name));
  });

  test("of an unknown index is none", () => {
    expect(joinXattrName({ index: 5, suffix: bytes("x") })).toBeUndefined();
  });
});
