import { type Descriptor, describe, digestOf, mediaTypes } from "@box/oras";
import { encodeJson } from "../sample-image.ts";
import type { FaultRow } from "./fault-row.ts";
import type { Injection, Place } from "./faulty-registry.ts";
import { document, status, withHeaders } from "./injections.ts";
import {
  amd64,
  config,
  configDocument,
  contentOf,
  index,
  indexDocument,
  layer,
  layers,
  manifest,
  manifestDocument,
} from "./sample.ts";

type Fault = FaultRow["fault"];

/** Serves each document at its digest, and the last one at the tag. */
function serving(...documents: readonly Uint8Array[]): FaultRow["faults"] {
  const byDigest = new Map(documents.map((bytes) => [digestOf(bytes) as string, bytes]));
  const last = documents.at(-1) ?? new Uint8Array();
  const find: Injection = (exchange) => {
    const reference = exchange.request.url?.split("/").at(-1) ?? "";
    const bytes = byDigest.get(reference);
    return (bytes === undefined ? status(404) : document(bytes))(exchange);
  };
  return [
    { at: "index", inject: document(last) },
    { at: "manifest", inject: find },
    // Layers and configs that are right are served as ever.
    ...(byDigest.size > 1 ? [{ at: "config" as const, inject: find }] : []),
  ];
}

function row(
  fault: Fault,
  title: string,
  documents: readonly unknown[],
  outcome: FaultRow["outcome"],
): FaultRow {
  const bytes = documents.map((one) => (one instanceof Uint8Array ? one : encodeJson(one)));
  return { fault, title, faults: serving(...bytes), outcome, tries: 1 };
}

/** A manifest with another config, both served. */
function configured(
  fault: Fault,
  title: string,
  bytes: Uint8Array,
  outcome: FaultRow["outcome"],
): FaultRow {
  const own = describe(mediaTypes.ociConfig, bytes);
  return row(fault, title, [bytes, { ...manifestDocument, config: own }], outcome);
}

/** Text in place of JSON that nobody would write. */
const textOf = (text: string): Uint8Array => new TextEncoder().encode(text);
const insert = (value: unknown, text: string): Uint8Array =>
  textOf(`{${text},${JSON.stringify(value).slice(1)}`);
const nested = (depth: number): string => `"deep":${"[".repeat(depth)}${"]".repeat(depth)}`;

const digests: readonly FaultRow[] = [
  {
    fault: "wrong digests",
    title: "in the header of a manifest by tag: its own counts, after a second look",
    faults: [{ at: "index", inject: withHeaders({ "docker-content-digest": layer.digest }) }],
    outcome: "heals",
    tries: 2,
  },
  {
    fault: "wrong digests",
    title: "in the header of a manifest by digest: the one that was asked for counts",
    faults: [{ at: "manifest", inject: withHeaders({ "docker-content-digest": layer.digest }) }],
    outcome: "heals",
    tries: 1,
  },
  {
    fault: "wrong digests",
    title: "another manifest than was asked for",
    faults: [{ at: "manifest", inject: document(contentOf(index)) }],
    outcome: "OCI_DIGEST_MISMATCH",
    tries: 2,
  },
  {
    fault: "wrong digests",
    title: "another config of the same size",
    faults: [{ at: "config", inject: document(new Uint8Array(config.size)) }],
    outcome: "OCI_DIGEST_MISMATCH",
    tries: 2,
  },
  configured(
    "wrong digests",
    "of unpacked layers in the config",
    encodeJson({
      ...configDocument,
      rootfs: { type: "layers", diff_ids: [layer.digest, layer.digest] },
    }),
    "OCI_DIFF_ID_MISMATCH",
  ),
];

const wrongLayer = (change: Partial<Record<keyof Descriptor, unknown>>): unknown => ({
  ...manifestDocument,
  layers: [layers[0], { ...layer, ...change }],
});

const lengths: readonly FaultRow[] = [
  row(
    "wrong lengths",
    "of a layer in the manifest",
    [wrongLayer({ size: layer.size - 1 })],
    "OCI_SIZE_MISMATCH",
  ),
  row("wrong lengths", "below nothing", [wrongLayer({ size: -1 })], "OCI_INVALID_MANIFEST"),
  row(
    "wrong lengths",
    "past what a number holds",
    [wrongLayer({ size: 2 ** 60 })],
    "OCI_INVALID_MANIFEST",
  ),
  row(
    "wrong lengths",
    "of a config that is too large",
    [{ ...manifestDocument, config: { ...config, size: 5 * 1024 * 1024 } }],
    "OCI_TOO_LARGE",
  ),
  row(
    "wrong lengths",
    "of a manifest in the index",
    [
      contentOf(manifest),
      { ...indexDocument, manifests: [{ ...manifest, size: 7, platform: amd64 }] },
    ],
    "OCI_SIZE_MISMATCH",
  ),
];

const typed = (at: Place, type: string, outcome: FaultRow["outcome"], tries = 1): FaultRow => ({
  fault: "wrong types",
  title: `${type} in the header of the ${at}`,
  faults: [{ at, inject: withHeaders({ "content-type": type }) }],
  outcome,
  tries,
});

const types: readonly FaultRow[] = [
  typed("index", mediaTypes.ociManifest, "OCI_MEDIA_TYPE_MISMATCH"),
  typed("index", "text/html", "OCI_INVALID_MANIFEST"),
  typed("index", "application/octet-stream", "heals"),
  typed("index", "Text/Plain; charset=utf-8", "heals"),
  typed("manifest", mediaTypes.ociIndex, "OCI_MEDIA_TYPE_MISMATCH"),
  typed("config", "text/html", "heals"),
  typed("layer", "text/html", "heals"),
  row(
    "wrong types",
    "in the manifest itself",
    [{ ...manifestDocument, mediaType: mediaTypes.ociIndex }],
    "OCI_MEDIA_TYPE_MISMATCH",
  ),
  row(
    "wrong types",
    "that nobody knows",
    [{ ...manifestDocument, mediaType: "application/x" }],
    "OCI_UNSUPPORTED_MEDIA_TYPE",
  ),
  row(
    "wrong types",
    "that is no text",
    [{ ...manifestDocument, mediaType: 7 }],
    "OCI_INVALID_MANIFEST",
  ),
  row(
    "wrong types",
    "of a config",
    [{ ...manifestDocument, config: { ...config, mediaType: "application/x" } }],
    "OCI_NOT_AN_IMAGE",
  ),
  row(
    "wrong types",
    "of a layer that is elsewhere",
    [wrongLayer({ mediaType: "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip" })],
    "OCI_FOREIGN_LAYER",
  ),
  row(
    "wrong types",
    "of a layer that is encrypted",
    [wrongLayer({ mediaType: `${layer.mediaType}+encrypted` })],
    "OCI_ENCRYPTED_LAYER",
  ),
  row(
    "wrong types",
    "of a manifest in the index",
    [
      contentOf(manifest),
      {
        ...indexDocument,
        manifests: [{ ...manifest, mediaType: mediaTypes.dockerManifest, platform: amd64 }],
      },
    ],
    "OCI_MEDIA_TYPE_MISMATCH",
  ),
  row(
    "wrong types",
    "of Docker's first days",
    [{ schemaVersion: 1, fsLayers: [] }],
    "OCI_UNSUPPORTED_SCHEMA1",
  ),
];

const confusion: readonly FaultRow[] = [
  row(
    "manifest confusion",
    "an index with layers",
    [{ ...indexDocument, layers }],
    "OCI_AMBIGUOUS_MANIFEST",
  ),
  row(
    "manifest confusion",
    "an index with a config",
    [{ ...indexDocument, config }],
    "OCI_AMBIGUOUS_MANIFEST",
  ),
  row(
    "manifest confusion",
    "an image with manifests",
    [{ ...manifestDocument, manifests: [] }],
    "OCI_AMBIGUOUS_MANIFEST",
  ),
  row(
    "manifest confusion",
    "an image that calls itself a list",
    [{ ...manifestDocument, mediaType: mediaTypes.dockerList }],
    "OCI_MEDIA_TYPE_MISMATCH",
  ),
];

const paths = [
  "sha256:../../../../etc/passwd",
  `sha256:${"..%2f".repeat(12)}etc1`,
  `sha256:${"A".repeat(64)}`,
  "../x",
  `md5:${"0".repeat(32)}`,
];
const pathLike: readonly FaultRow[] = paths.flatMap((digest) => [
  row(
    "path-like digests",
    `${digest} of a layer`,
    [wrongLayer({ digest })],
    "OCI_INVALID_MANIFEST",
  ),
  row(
    "path-like digests",
    `${digest} of a config`,
    [{ ...manifestDocument, config: { ...config, digest } }],
    "OCI_INVALID_MANIFEST",
  ),
  row(
    "path-like digests",
    `${digest} of a manifest`,
    [{ ...indexDocument, manifests: [{ ...manifest, digest }] }],
    "OCI_INVALID_MANIFEST",
  ),
  configured(
    "path-like digests",
    `${digest} of an unpacked layer`,
    encodeJson({ ...configDocument, rootfs: { diff_ids: [digest, digest] } }),
    "OCI_INVALID_CONFIG",
  ),
  {
    fault: "path-like digests",
    title: `${digest} in the header of the manifest`,
    faults: [{ at: "index", inject: withHeaders({ "docker-content-digest": digest }) }],
    outcome: "heals",
    tries: 1,
  },
]);

/** Indexes in indexes, the innermost with the image. */
function nestedIndexes(depth: number): readonly Uint8Array[] {
  const documents = [contentOf(manifest), contentOf(index)];
  for (let level = 1; level < depth; level++) {
    const inner = describe(mediaTypes.ociIndex, documents.at(-1) ?? new Uint8Array());
    documents.push(
      encodeJson({ ...indexDocument, manifests: [inner], annotations: { level: `${level}` } }),
    );
  }
  return documents;
}

const empty = encodeJson({ ...indexDocument, manifests: [] });
const inner = describe(mediaTypes.ociIndex, empty);

const loops: readonly FaultRow[] = [
  {
    // No index can hold its own digest: one that does is served under a digest that is not its own.
    fault: "index loops",
    title: "an index that lists itself",
    faults: [
      { at: "index", inject: document(encodeJson({ ...indexDocument, manifests: [index] })) },
      { at: "manifest", inject: document(encodeJson({ ...indexDocument, manifests: [index] })) },
    ],
    outcome: "OCI_DIGEST_MISMATCH",
    tries: 1,
  },
  row("index loops", "nine indexes, one in the other", nestedIndexes(9), "OCI_INDEX_TOO_DEEP"),
  {
    ...row(
      "index loops",
      "one index a thousand times, looked at once",
      [empty, { ...indexDocument, manifests: Array.from({ length: 1000 }, () => inner) }],
      "OCI_NO_PLATFORM_MATCH",
    ),
    counted: "manifest",
  },
  {
    ...row("index loops", "more indexes than are looked at", wideIndex(201), "OCI_TOO_LARGE"),
    counted: "manifest",
    // The root is one of two hundred.
    tries: 199,
  },
];

/** Manifests that only a look into each tells that they do not fit. */
function wideIndex(count: number): readonly Uint8Array[] {
  const documents = Array.from({ length: count }, (_, number) =>
    encodeJson({ ...indexDocument, manifests: [], annotations: { number: `${number}` } }),
  );
  const manifests = documents.map((bytes) => describe(mediaTypes.ociIndex, bytes));
  return [...documents, encodeJson({ ...indexDocument, manifests })];
}

const many = (count: number): unknown => ({
  ...manifestDocument,
  layers: Array.from({ length: count }, () => layers[0]),
});

const tooMuch: readonly FaultRow[] = [
  row("10,000 layers", "as many", [many(10_000)], "OCI_TOO_MANY_LAYERS"),
  row("10,000 layers", "one more", [many(10_001)], "OCI_TOO_LARGE"),
  row(
    "10,000 layers",
    "of an index",
    [{ ...indexDocument, manifests: Array.from({ length: 10_001 }, () => manifest) }],
    "OCI_TOO_LARGE",
  ),
  row("deep JSON", "in the manifest", [insert(manifestDocument, nested(100_000))], "OCI_TOO_DEEP"),
  row("deep JSON", "in the index", [insert(indexDocument, nested(65))], "OCI_TOO_DEEP"),
  configured("deep JSON", "in the config", insert(configDocument, nested(100_000)), "OCI_TOO_DEEP"),
  { ...at("deep JSON", "token", textOf(`{${nested(10_000)}}`), "OCI_TOO_DEEP") },
  { ...at("deep JSON", "tags", textOf(`{${nested(100_000)}}`), "OCI_TOO_DEEP"), asks: "tags" },
  row(
    "__proto__",
    "in the manifest",
    [insert(manifestDocument, '"__proto__":{"layers":[]}')],
    "OCI_INVALID_JSON",
  ),
  row(
    "__proto__",
    "in the index, written otherwise",
    [insert(indexDocument, '"\\u005f_proto__":[]')],
    "OCI_INVALID_JSON",
  ),
  row(
    "__proto__",
    "in annotations",
    [insert(manifestDocument, '"annotations":{"__proto__":"x"}')],
    "OCI_INVALID_JSON",
  ),
  configured(
    "__proto__",
    "in the config",
    insert(configDocument, '"__proto__":{"os":"x"}'),
    "OCI_INVALID_JSON",
  ),
  { ...at("__proto__", "token", textOf('{"__proto__":{"token":"x"}}'), "OCI_INVALID_JSON") },
  {
    ...at("__proto__", "tags", textOf('{"__proto__":{"tags":[]}}'), "OCI_INVALID_JSON"),
    asks: "tags",
  },
];

function at(fault: Fault, place: Place, bytes: Uint8Array, outcome: FaultRow["outcome"]): FaultRow {
  const faults = [{ at: place, inject: document(bytes) }];
  return { fault, title: `in the reply at the ${place}`, faults, outcome, tries: 1 };
}

/** What is wrong in documents that are served as they should be. */
export const contentRows: readonly FaultRow[] = [
  ...digests,
  ...lengths,
  ...types,
  ...confusion,
  ...pathLike,
  ...loops,
  ...tooMuch,
];
