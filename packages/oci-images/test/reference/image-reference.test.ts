import { formatImageReference, parseImageReference } from "@box/oci-images";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { expectCode } from "../expect-code.ts";

const digest = `sha256:${"0".repeat(64)}`;
const library = { type: "registry", host: "docker.io", repository: "library/debian" };

describe("image references", () => {
  test.each([
    ["debian", { ...library, tag: "latest" }],
    ["debian:bookworm", { ...library, tag: "bookworm" }],
    [`debian@${digest}`, { ...library, digest }],
    [`debian:bookworm@${digest}`, { ...library, tag: "bookworm", digest }],
    ["docker.io/debian", { ...library, tag: "latest" }],
    ["index.docker.io/library/debian", { ...library, tag: "latest" }],
    ["user/app", { type: "registry", host: "docker.io", repository: "user/app", tag: "latest" }],
    ["localhost/app", { type: "registry", host: "localhost", repository: "app", tag: "latest" }],
    [
      "127.0.0.1:5000/app:1",
      { type: "registry", host: "127.0.0.1:5000", repository: "app", tag: "1" },
    ],
    ["[::1]:5000/a/b", { type: "registry", host: "[::1]:5000", repository: "a/b", tag: "latest" }],
    ["HOST/app", { type: "registry", host: "HOST", repository: "app", tag: "latest" }],
    ["oci", { type: "registry", host: "docker.io", repository: "library/oci", tag: "latest" }],
    ["oci:./dir", { type: "oci", path: "./dir" }],
    ["oci:/a/b:v1", { type: "oci", path: "/a/b", tag: "v1" }],
    [`oci:/a@${digest}`, { type: "oci", path: "/a", digest }],
    [`oci:/a:v1@${digest}`, { type: "oci", path: "/a", tag: "v1", digest }],
    ["oci:/a@b:docker.io/x/y:1", { type: "oci", path: "/a@b", tag: "docker.io/x/y:1" }],
    ["oci-archive:/a.tar", { type: "oci-archive", path: "/a.tar" }],
    ["docker-archive:a.tar:app:1", { type: "docker-archive", path: "a.tar", tag: "app:1" }],
  ])("parse %s", (text, expected) => expect(parseImageReference(text)).toEqual(expected));

  test.each([
    ["debian", "docker.io/library/debian:latest"],
    [`debian@${digest}`, `docker.io/library/debian@${digest}`],
    ["oci:dir:v1", "oci:dir:v1"],
    [`oci:dir@${digest}`, `oci:dir@${digest}`],
    ["docker-archive:a.tar", "docker-archive:a.tar"],
  ])("of %s are written %s", (text, expected) => {
    const formatted = formatImageReference(parseImageReference(text));
    expect(formatted).toBe(expected);
    expect(parseImageReference(formatted)).toEqual(parseImageReference(text));
  });

  test.each([
    "",
    ":",
    "/",
    "Debian",
    "host.example/",
    "host.example/Name",
    "a//b",
    "debian:",
    "oci:",
    "oci::v1",
    "oci:dir:",
    "oci:dir:-x",
    "oci:a\0b",
    `oci:${"a".repeat(5000)}`,
    "docker-archive:",
    "https://host/name",
  ])("refuse %j", async (text) => {
    const error = await expectCode(() => parseImageReference(text), "OCI_INVALID_REFERENCE");
    expect(error.kind).toBe("invalid-argument");
  });

  test.each(["debian@sha256:1", "oci:dir@sha256:../../x"])(
    "refuse the digest of %s",
    async (text) => {
      await expectCode(() => parseImageReference(text), "OCI_INVALID_DIGEST");
    },
  );

  test("either parse to a form that parses to itself, or fail with a code", () => {
    const piece = fc.constantFrom(
      "a",
      "B",
      "0",
      ".",
      "-",
      "_",
      "/",
      ":",
      "@",
      "oci:",
      "[::1]",
      digest,
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 8 }), (pieces) => {
        let parsed: ReturnType<typeof parseImageReference>;
        try {
          parsed = parseImageReference(pieces.join(""));
        } catch (error) {
          expect(error).toMatchObject({ kind: "invalid-argument" });
          return;
        }
        expect(parseImageReference(formatImageReference(parsed))).toEqual(parsed);
      }),
      { numRuns: 2000 },
    );
  });
});
