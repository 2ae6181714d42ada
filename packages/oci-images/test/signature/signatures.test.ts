import { generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import { join } from "node:path";
import { type Image, ImageStore, type PullOptions, parseVerificationKey } from "@box/oci-images";
import {
  attach,
  bytesSource,
  copy,
  type Descriptor,
  describe as describeContent,
  digestHex,
  digestOf,
  extendedCopy,
  fetchManifestBytes,
  MemoryTarget,
  mediaTypes,
  OciLayout,
  pack,
  RegistryClient,
  RemoteRepository,
  type Target,
} from "@box/oras";
import { MemoryRegistryStorage, serveRegistry } from "@box/oras/registry-server";
import { scriptedServer } from "@box/test-support";
import { describe, expect, test, vi } from "vitest";
import { expectCode } from "../expect-code.ts";
import { addImage, addIndex, encodeJson, noise } from "../sample-image.ts";
import { temporaryFolder } from "../temporary-folder.ts";

const platform = { os: "linux", architecture: "amd64" };
const simpleSigning = "application/vnd.dev.cosign.simplesigning.v1+json";
const bundleType = "application/vnd.dev.sigstore.bundle.v0.3+json";

interface Pair {
  readonly privateKey: KeyObject;
  readonly pem: string;
}

function pair(type: "ec" | "rsa" | "ed25519"): Pair {
  const made =
    type === "ec"
      ? generateKeyPairSync("ec", { namedCurve: "P-256" })
      : type === "rsa"
        ? generateKeyPairSync("rsa", { modulusLength: 2048 })
        : generateKeyPairSync("ed25519");
  const pem = made.publicKey.export({ type: "spki", format: "pem" }).toString();
  return { privateKey: made.privateKey, pem };
}

const ours = pair("ec");
const theirs = pair("ec");

function signBytes(bytes: Uint8Array, { privateKey }: Pair): string {
  const algorithm = privateKey.asymmetricKeyType === "ed25519" ? null : "sha256";
  return sign(algorithm, bytes, privateKey).toString("base64");
}

async function put(target: Target, type: string, bytes: Uint8Array): Promise<Descriptor> {
  const descriptor = describeContent(type, bytes);
  await target.push(descriptor, bytesSource(bytes));
  return descriptor;
}

/** What `cosign sign --key` makes without bundles. */
async function signSimple(
  target: Target,
  image: Descriptor,
  key: Pair,
  change: { digest?: string; type?: string; signature?: string; asReferrer?: boolean } = {},
): Promise<void> {
  const payload = encodeJson({
    critical: {
      identity: { "docker-reference": "registry.test/app" },
      image: { "docker-manifest-digest": change.digest ?? image.digest },
      type: change.type ?? "cosign container image signature",
    },
    optional: null,
  });
  const signature = change.signature ?? signBytes(payload, key);
  const annotations = { "dev.cosignproject.cosign/signature": signature };
  const layer = { ...(await put(target, simpleSigning, payload)), annotations };
  const config = await put(target, mediaTypes.ociConfig, encodeJson({ rootfs: {} }));
  const artifactType = "application/vnd.dev.cosign.artifact.sig.v1+json";
  if (change.asReferrer) await attach(target, image, { artifactType, layers: [layer] });
  else {
    const packed = await pack(target, { artifactType, config, layers: [layer] });
    await target.tag(packed, `sha256-${digestHex(image.digest)}.sig`);
  }
}

/** What `cosign sign --new-bundle-format` makes. */
function bundleOf(
  image: Descriptor,
  key: Pair,
  change: { hex?: string; predicateType?: string; payloadType?: string } = {},
): unknown {
  const payload = encodeJson({
    _type: "https://in-toto.io/Statement/v1",
    subject: [{ name: "", digest: { sha256: change.hex ?? digestHex(image.digest) } }],
    predicateType: change.predicateType ?? "https://sigstore.dev/cosign/sign/v1",
    predicate: {},
  });
  const payloadType = change.payloadType ?? "application/vnd.in-toto+json";
  const head = `DSSEv1 ${payloadType.length} ${payloadType} ${payload.byteLength} `;
  const signed = Buffer.concat([Buffer.from(head), payload]);
  return {
    mediaType: bundleType,
    verificationMaterial: { publicKey: { hint: "ours" } },
    dsseEnvelope: {
      payload: Buffer.from(payload).toString("base64"),
      payloadType,
      signatures: [{ sig: signBytes(signed, key), keyid: "" }],
    },
  };
}

async function attachBundle(target: Target, image: Descriptor, bundle: unknown): Promise<void> {
  const layer = await put(target, bundleType, encodeJson(bundle));
  await attach(target, image, { artifactType: bundleType, layers: [layer] });
}

/** A bundle that signs a manifest itself, and says what its digest is. */
async function attachMessageBundle(
  target: Target,
  image: Descriptor,
  hex: string = digestHex(image.digest),
): Promise<void> {
  const bytes = await fetchManifestBytes(target, image);
  await attachBundle(target, image, {
    mediaType: bundleType,
    verificationMaterial: { publicKey: { hint: "ours" } },
    messageSignature: {
      messageDigest: { algorithm: "SHA2_256", digest: Buffer.from(hex, "hex").toString("base64") },
      signature: signBytes(bytes, ours),
    },
  });
}

interface Signed {
  readonly layout: OciLayout;
  readonly root: Descriptor;
  pull(key?: Pair, options?: PullOptions): Promise<Image>;
  readonly store: ImageStore;
}

/** An image of two platforms in a layout, to be signed there. */
async function unsigned(): Promise<Signed & { readonly manifest: Descriptor }> {
  const folder = await temporaryFolder();
  const target = new MemoryTarget();
  const arm = { os: "linux", architecture: "arm64" };
  const manifest = await addImage(target, { tars: [noise(10)] });
  const entries = [
    { ...manifest, platform },
    { ...(await addImage(target, { tars: [noise(20)], platform: arm })), platform: arm },
  ];
  const root = await addIndex(target, entries);
  await target.tag(root, "v1");
  const layout = await OciLayout.ensure(join(folder, "source"));
  await copy(target, "v1", layout);
  const store = await ImageStore.open(join(folder, "store"), { platform });
  const pull = (key: Pair = ours, options: PullOptions = {}) =>
    store.pull(`oci:${layout.directory}:v1`, {
      verificationKey: parseVerificationKey(key.pem),
      ...options,
    });
  return { layout, root, manifest, store, pull };
}

describe("a pull with a key", () => {
  test("returns what it verified, whatever another process names so meanwhile", async () => {
    const { layout, manifest, root } = await unsigned();
    const strange = new MemoryTarget();
    const evil = await addImage(strange, { tars: [noise(30)] });
    await strange.tag(evil, "v1");
    await copy(strange, "v1", layout);
    const folder = join(await temporaryFolder(), "shared");
    const other = await ImageStore.open(folder, { platform });
    const reference = `oci:${layout.directory}:v1`;
    await other.pull(reference);
    await layout.tag(root, "v1");
    await signSimple(layout, root, ours);
    const { tag } = OciLayout.prototype;
    const naming = vi.spyOn(OciLayout.prototype, "tag");
    naming.mockImplementationOnce(async function (this: OciLayout, ...parameters) {
      naming.mockRestore();
      await tag.apply(this, parameters);
      await other.tag(evil.digest, reference);
    });
    const store = await ImageStore.open(folder, { platform });
    const verificationKey = parseVerificationKey(ours.pem);
    const image = await store.pull(reference, { verificationKey });
    expect([image.digest, image.root.digest]).toEqual([manifest.digest, root.digest]);
    expect((await store.get(reference)).digest).toBe(evil.digest);
  });
});

/** Signatures that whoever may attach something can leave beside an image. */
const unreadable: Record<string, (target: Target, root: Descriptor) => Promise<void>> = {
  "the signature's blob is absent": (target, root) => tagUnreadable(target, root, {}),
  "the signature's size lies": async (target, root) => {
    const { size } = await put(target, simpleSigning, encodeJson({}));
    await tagUnreadable(target, root, { size: size + 1, digest: digestOf(encodeJson({})) });
  },
  "the signature's manifest is malformed": async (target, root) => {
    const bytes = encodeJson({ schemaVersion: 2, config: 1, layers: "none" });
    const tagged = await put(target, mediaTypes.ociManifest, bytes);
    await target.tag(tagged, `sha256-${digestHex(root.digest)}.sig`);
  },
};

async function tagUnreadable(
  target: Target,
  root: Descriptor,
  change: Partial<Descriptor>,
): Promise<void> {
  const absent = describeContent(simpleSigning, encodeJson({ never: "stored" }));
  const config = await put(target, mediaTypes.ociConfig, encodeJson({ rootfs: {} }));
  const layers = [{ ...absent, ...change }];
  const manifest = { schemaVersion: 2, mediaType: mediaTypes.ociManifest, config, layers };
  const tagged = await put(target, mediaTypes.ociManifest, encodeJson(manifest));
  await target.tag(tagged, `sha256-${digestHex(root.digest)}.sig`);
}

describe("an image is taken when", () => {
  test.each(Object.entries(unreadable))("%s, and another one is right", async (_name, leave) => {
    const { layout, root, pull } = await unsigned();
    await leave(layout, root);
    await signSimple(layout, root, ours, { asReferrer: true });
    expect((await pull()).root.digest).toBe(root.digest);
  });

  test.each(["ec", "rsa", "ed25519"] as const)(
    "cosign signed it with a key of type %s",
    async (type) => {
      const { layout, root, pull } = await unsigned();
      const key = pair(type);
      await signSimple(layout, root, key);
      expect((await pull(key)).root.digest).toBe(root.digest);
    },
  );

  test("the manifest for the platform is signed in place of the index", async () => {
    const { layout, manifest, pull } = await unsigned();
    await signSimple(layout, manifest, ours, { asReferrer: true });
    expect((await pull()).digest).toBe(manifest.digest);
  });

  test("a sigstore bundle signs a statement about it", async () => {
    const { layout, root, pull } = await unsigned();
    await attachBundle(layout, root, bundleOf(root, ours));
    expect((await pull()).root.digest).toBe(root.digest);
  });

  test("a sigstore bundle signs its bytes", async () => {
    const { layout, manifest, pull } = await unsigned();
    await attachMessageBundle(layout, manifest);
    expect((await pull()).digest).toBe(manifest.digest);
  });

  test("one of several signatures is right", async () => {
    const { layout, root, pull } = await unsigned();
    await signSimple(layout, root, theirs);
    await attachBundle(layout, root, bundleOf(root, theirs));
    await attachBundle(layout, root, { nonsense: true });
    await signSimple(layout, root, ours, { asReferrer: true });
    expect((await pull()).root.digest).toBe(root.digest);
  });
});

describe("an image is refused, and nothing of it stored, when", () => {
  const other = `sha256:${"0".repeat(64)}`;
  const cases: Record<string, (target: Target, root: Descriptor) => Promise<void>> = {
    "somebody else signed it": (target, root) => signSimple(target, root, theirs),
    "the signature is of another image": (target, root) =>
      signSimple(target, root, ours, { digest: other }),
    "the signed document is of another kind": (target, root) =>
      signSimple(target, root, ours, { type: "something else" }),
    "the signature is nonsense": (target, root) =>
      signSimple(target, root, ours, { signature: "AAAA" }),
    "the signature is empty": (target, root) => signSimple(target, root, ours, { signature: "" }),
    "somebody else made the bundle": (target, root) =>
      attachBundle(target, root, bundleOf(root, theirs)),
    "the bundle is of another image": (target, root) =>
      attachBundle(target, root, bundleOf(root, ours, { hex: "0".repeat(64) })),
    "the bundle is a report about it": (target, root) =>
      attachBundle(
        target,
        root,
        bundleOf(root, ours, { predicateType: "https://spdx.dev/Document" }),
      ),
    "the bundle names the digest of another image": (target, root) =>
      attachMessageBundle(target, root, "0".repeat(64)),
    "the bundle signs no statement": (target, root) =>
      attachBundle(target, root, bundleOf(root, ours, { payloadType: "text/plain" })),
    "the bundle is malformed": (target, root) =>
      attachBundle(target, root, { mediaType: bundleType }),
    "the bundle is by a certificate": (target, root) =>
      attachBundle(target, root, {
        ...(bundleOf(root, ours) as object),
        verificationMaterial: { certificate: { rawBytes: "AAAA" }, tlogEntries: [] },
      }),
    ...unreadable,
    "the bundle is too large": async (target, root) => {
      const layer = await put(target, bundleType, new Uint8Array(2_000_000));
      await attach(target, root, { artifactType: bundleType, layers: [layer] });
    },
  };
  test.each(Object.entries(cases))("%s", async (_name, forge) => {
    const { layout, root, pull, store } = await unsigned();
    await forge(layout, root);
    const error = await expectCode(pull(), "OCI_SIGNATURE_INVALID");
    expect(error.details["reasons"]).toHaveLength(1);
    expect(await store.list()).toEqual([]);
    for await (const blob of store.layout.blobs()) throw new Error(`stored ${blob.digest}`);
  });

  test("more is attached to it than anybody would sign, of which nothing is fetched", async () => {
    const storage = new MemoryRegistryStorage();
    const paths: string[] = [];
    await using served = await serveRegistry({
      storage,
      onRequest: ({ method, path }) => paths.push(`${method} ${path}`),
    });
    const { layout, root, store } = await unsigned();
    await using client = new RegistryClient();
    await copy(layout, "v1", new RemoteRepository(client, served.host, "app"), "v1");
    storage.referrers = async (_repository, subject) =>
      Array.from({ length: subject === root.digest ? 10_001 : 10 }, (_, number) => ({
        mediaType: mediaTypes.ociManifest,
        digest: digestOf(encodeJson(number)),
        size: 500,
        artifactType: "application/x-sbom",
      }));
    const verificationKey = parseVerificationKey(ours.pem);
    const pulling = store.pull(`${served.host}/app:v1`, { verificationKey });
    expect((await expectCode(pulling, "OCI_TOO_LARGE")).message).toContain("more than 10000");
    const fetched = paths.filter((path) => path.startsWith("GET /v2/app/manifests/sha256:"));
    // The manifest for the platform.
    expect(fetched).toHaveLength(1);
    expect(await store.list()).toEqual([]);
  });

  test("nobody signed it, or what is attached to it is no signature", async () => {
    const { layout, root, pull, store } = await unsigned();
    await expectCode(pull(), "OCI_SIGNATURE_MISSING");
    await attach(layout, root, { artifactType: "application/x" });
    await expectCode(pull(), "OCI_SIGNATURE_MISSING");
    expect(await store.list()).toEqual([]);
  });

  test("it is here already and its source may not be asked, or has no signature", async () => {
    const { pull, store, layout, root } = await unsigned();
    await store.pull(`oci:${layout.directory}:v1`);
    await expectCode(pull(), "OCI_SIGNATURE_MISSING");
    await expectCode(pull(ours, { policy: "never" }), "OCI_SIGNATURE_MISSING");
    await signSimple(layout, root, ours);
    expect((await pull()).root.digest).toBe(root.digest);
  });
});

describe("signatures of a registry", () => {
  test("are found by tag and by referrer", async () => {
    const { layout, root, store } = await unsigned();
    await signSimple(layout, root, theirs);
    await attachBundle(layout, root, bundleOf(root, ours));
    await using registry = await serveRegistry();
    await using client = new RegistryClient();
    const remote = new RemoteRepository(client, registry.host, "team/app");
    await extendedCopy(layout, "v1", remote);
    await copy(layout, `sha256-${digestHex(root.digest)}.sig`, remote);
    const verificationKey = parseVerificationKey(ours.pem);
    const reference = `${registry.host}/team/app:v1`;
    const image = await store.pull(reference, { verificationKey });
    expect(image.root.digest).toBe(root.digest);
    const wrong = { verificationKey: parseVerificationKey(pair("ec").pem) };
    await expectCode(store.pull(reference, wrong), "OCI_SIGNATURE_INVALID");
  });

  test("that cannot be read are a failure of the network, not a missing signature", async () => {
    const target = new MemoryTarget();
    const root = await addImage(target);
    const manifest = await (async () => {
      const parts: Uint8Array[] = [];
      for await (const part of await target.fetch(root)) parts.push(part);
      return Buffer.concat(parts);
    })();
    const server = await scriptedServer(({ url }, response) => {
      if (url?.endsWith("/manifests/v1")) return response.end(manifest);
      return response.writeHead(418).end();
    });
    const store = await ImageStore.open(await temporaryFolder(), { platform });
    const verificationKey = parseVerificationKey(ours.pem);
    const pull = store.pull(`${server.host}/app:v1`, { verificationKey });
    await expectCode(pull, "ORAS_HTTP_STATUS");
  });
});
