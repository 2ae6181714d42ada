import { describe as describeContent, mediaTypes, parseManifest, successorsOf } from "@box/oras";
import { describe, expect, test } from "vitest";
import { expectCode } from "../expect-code.ts";
import { encodeJson } from "../sample-image.ts";

const blob = describeContent(mediaTypes.ociLayer, encodeJson("layer"));
const config = describeContent(mediaTypes.ociConfig, encodeJson("config"));
const image = { schemaVersion: 2, config, layers: [blob] };
const index = { schemaVersion: 2, manifests: [{ ...blob, mediaType: mediaTypes.ociManifest }] };

describe("manifests", () => {
  test("of an image are parsed with their successors in order", () => {
    const document = parseManifest(encodeJson({ ...image, subject: config }));
    expect(document).toMatchObject({ type: "manifest", mediaType: mediaTypes.ociManifest });
    expect(successorsOf(document).map((one) => one.digest)).toEqual([
      config.digest,
      blob.digest,
      config.digest,
    ]);
  });

  test("of an index are parsed with their successors", () => {
    const document = parseManifest(encodeJson(index), { mediaType: mediaTypes.ociIndex });
    expect(document).toMatchObject({ type: "index", mediaType: mediaTypes.ociIndex });
    expect(successorsOf(document)).toHaveLength(1);
  });

  test("take Docker's types from the document or from outside", () => {
    const inside = parseManifest(encodeJson({ ...image, mediaType: mediaTypes.dockerManifest }));
    expect(inside.mediaType).toBe(mediaTypes.dockerManifest);
    const outside = parseManifest(encodeJson(index), { mediaType: mediaTypes.dockerList });
    expect(outside.mediaType).toBe(mediaTypes.dockerList);
  });

  test("ignore a generic type from outside", () => {
    const { mediaType } = parseManifest(encodeJson(image), { mediaType: "text/plain" });
    expect(mediaType).toBe(mediaTypes.ociManifest);
  });

  test("know entries by their types without parameters", () => {
    const entry = (mediaType: string) => ({ ...blob, mediaType });
    const types = [`${mediaTypes.ociManifest}; charset=utf-8`, `${mediaTypes.dockerList};v=1`];
    const manifests = [...types, "text/plain; charset=utf-8"].map(entry);
    const document = parseManifest(encodeJson({ schemaVersion: 2, manifests }));
    expect(successorsOf(document).map(({ mediaType }) => mediaType)).toEqual([
      mediaTypes.ociManifest,
      mediaTypes.dockerList,
      "text/plain; charset=utf-8",
    ]);
  });

  test("may have null where programs in Go have nothing to write", () => {
    const nothing = { annotations: null, subject: null, mediaType: null };
    const sparse = { ...config, urls: null, annotations: null, platform: null };
    const scratch = parseManifest(
      encodeJson({ ...nothing, schemaVersion: 2, config: sparse, layers: null }),
    );
    expect(scratch).toEqual({
      type: "manifest",
      mediaType: mediaTypes.ociManifest,
      manifest: { schemaVersion: 2, config, layers: [] },
    });
    const none = parseManifest(encodeJson({ ...nothing, schemaVersion: 2, manifests: null }));
    expect(none).toMatchObject({ type: "index", index: { manifests: [] } });
    for (const broken of [
      { schemaVersion: 2, config },
      { ...image, config: null },
    ]) {
      expect(() => parseManifest(encodeJson(broken))).toThrow("cannot use manifest");
    }
  });

  test("keep unknown fields", () => {
    const document = parseManifest(encodeJson({ ...image, extra: 1 }));
    expect(document.type === "manifest" && document.manifest).toHaveProperty("extra", 1);
  });

  test.each([
    ["OCI_AMBIGUOUS_MANIFEST", { ...image, manifests: [] }],
    ["OCI_AMBIGUOUS_MANIFEST", { ...index, config }],
    ["OCI_MEDIA_TYPE_MISMATCH", { ...image, mediaType: mediaTypes.ociIndex }],
    ["OCI_MEDIA_TYPE_MISMATCH", { ...index, mediaType: mediaTypes.dockerManifest }],
    ["OCI_UNSUPPORTED_MEDIA_TYPE", { ...image, mediaType: "application/x" }],
    ["OCI_UNSUPPORTED_SCHEMA1", { schemaVersion: 1, fsLayers: [] }],
    ["OCI_UNSUPPORTED_SCHEMA1", { schemaVersion: 2, fsLayers: [] }],
    ["OCI_INVALID_MANIFEST", { ...image, schemaVersion: 3 }],
    ["OCI_INVALID_MANIFEST", { ...image, mediaType: 7 }],
    ["OCI_INVALID_MANIFEST", { ...image, layers: [{ ...blob, digest: "sha256:../../x" }] }],
    ["OCI_INVALID_MANIFEST", { ...image, layers: [{ ...blob, size: -1 }] }],
    ["OCI_INVALID_MANIFEST", { ...image, layers: [{ ...blob, size: 2 ** 53 }] }],
    ["OCI_INVALID_MANIFEST", { ...image, layers: [{ ...blob, size: 1.5 }] }],
    ["OCI_INVALID_MANIFEST", { ...image, layers: [{ ...blob, mediaType: "" }] }],
    ["OCI_INVALID_MANIFEST", { schemaVersion: 2, manifests: {} }],
    ["OCI_INVALID_MANIFEST", []],
    ["OCI_INVALID_MANIFEST", null],
    ["OCI_INVALID_MANIFEST", { schemaVersion: 2 }],
  ] as const)("are refused with %s: %j", async (code, document) => {
    await expectCode(() => parseManifest(encodeJson(document)), code);
  });

  test("that disagree with the type they were named by are refused", async () => {
    const bytes = encodeJson({ ...image, mediaType: mediaTypes.ociManifest });
    const mediaType = mediaTypes.dockerManifest;
    await expectCode(() => parseManifest(bytes, { mediaType }), "OCI_MEDIA_TYPE_MISMATCH");
  });

  test("with too many layers or entries are refused", async () => {
    const many = encodeJson({ ...image, layers: Array.from({ length: 10_001 }, () => blob) });
    await expectCode(() => parseManifest(many), "OCI_TOO_LARGE");
    await expectCode(() => parseManifest(encodeJson(index), { maxChildren: 0 }), "OCI_TOO_LARGE");
  });

  test("with a key named __proto__ are refused, however it is written", async () => {
    const text = JSON.stringify(image);
    for (const key of ["__proto__", "\\u005f_proto__"]) {
      const bytes = new TextEncoder().encode(`{"a":[{"${key}":{"x":1}}],${text.slice(1)}`);
      await expectCode(() => parseManifest(bytes), "OCI_INVALID_JSON");
    }
  });
});
