import { randomUUID } from "node:crypto";
import { type Descriptor, describe, emptyDescriptor, emptyJson, mediaTypes } from "@box/oras";

/** A reply with its body. */
export interface Reply {
  readonly status: number;
  readonly headers: Headers;
  readonly bytes: Uint8Array;
}

/** What a request carries. */
export interface Sent {
  readonly body?: Uint8Array;
  readonly headers?: Readonly<Record<string, string>>;
}

/** An image that was pushed. */
export interface PushedImage {
  readonly repository: string;
  readonly manifest: Descriptor;
  readonly bytes: Uint8Array;
  readonly layer: Descriptor;
  readonly layerBytes: Uint8Array;
}

/** Clients say what they can read; some registries go by it. */
const accept = [
  mediaTypes.ociManifest,
  mediaTypes.ociIndex,
  mediaTypes.dockerManifest,
  mediaTypes.dockerList,
].join(", ");

/** A registry that is asked by plain HTTP, without a client that would smooth anything over. */
export class RegistryUnderTest {
  readonly #origin: string;

  constructor(origin: string) {
    this.#origin = origin;
  }

  /** A name that nothing has been pushed to. */
  newRepository(): string {
    return `conformance/${randomUUID()}`;
  }

  /** Sends a request to a path or to a location that the registry gave. */
  async send(method: string, path: string, { body, headers }: Sent = {}): Promise<Reply> {
    const response = await fetch(new URL(path, this.#origin), {
      method,
      headers: { ...(path.includes("/manifests/") ? { accept } : {}), ...headers },
      ...(body === undefined ? {} : { body: body as Uint8Array<ArrayBuffer> }),
    });
    const bytes = new Uint8Array(await response.arrayBuffer());
    return { status: response.status, headers: response.headers, bytes };
  }

  /** Begins an upload. @returns Its location. */
  async beginUpload(repository: string): Promise<string> {
    const path = `/v2/${repository}/blobs/uploads/`;
    return locationOf(await this.send("POST", path, { headers: { "content-length": "0" } }), 202);
  }

  /** Sends a chunk of an upload. */
  async sendChunk(location: string, start: number, chunk: Uint8Array): Promise<Reply> {
    return this.send("PATCH", location, {
      body: chunk,
      headers: {
        "content-type": "application/octet-stream",
        "content-range": `${start}-${start + chunk.byteLength - 1}`,
      },
    });
  }

  /** Closes an upload, with its last bytes or without. */
  async closeUpload(location: string, digest: string, sent: Sent = {}): Promise<Reply> {
    const headers = { "content-type": "application/octet-stream", ...sent.headers };
    return this.send("PUT", withQuery(location, { digest }), { ...sent, headers });
  }

  /** Pushes a blob. */
  async pushBlob(repository: string, bytes: Uint8Array): Promise<Descriptor> {
    const blob = describe("application/octet-stream", bytes);
    const location = await this.beginUpload(repository);
    locationOf(await this.closeUpload(location, blob.digest, { body: bytes }), 201);
    return blob;
  }

  /** Pushes a manifest, by tag or by digest. */
  async putManifest(
    repository: string,
    reference: string,
    body: Uint8Array,
    type: string = mediaTypes.ociManifest,
  ): Promise<Reply> {
    const headers = { "content-type": type };
    return this.send("PUT", `/v2/${repository}/manifests/${reference}`, { body, headers });
  }

  /** Pushes an image of one layer. */
  async pushImage(repository: string = this.newRepository(), tag = "latest"): Promise<PushedImage> {
    const layerBytes = new TextEncoder().encode(`layer of ${repository}`);
    const layer = await this.pushBlob(repository, layerBytes);
    const config = await this.pushBlob(repository, new TextEncoder().encode("{}"));
    const bytes = manifestBytes({
      config: { ...config, mediaType: mediaTypes.ociConfig },
      layers: [{ ...layer, mediaType: mediaTypes.ociLayer }],
    });
    locationOf(await this.putManifest(repository, tag, bytes), 201);
    const manifest = describe(mediaTypes.ociManifest, bytes);
    return { repository, manifest, bytes, layer, layerBytes };
  }

  /** Pushes an artifact without layers. */
  async pushArtifact(
    repository: string,
    fields: Readonly<Record<string, unknown>>,
  ): Promise<{ readonly manifest: Descriptor; readonly reply: Reply }> {
    await this.pushBlob(repository, emptyJson);
    const bytes = manifestBytes({ config: emptyDescriptor, layers: [emptyDescriptor], ...fields });
    const manifest = describe(mediaTypes.ociManifest, bytes);
    return { manifest, reply: await this.putManifest(repository, manifest.digest, bytes) };
  }
}

/** A manifest; its bytes have spaces that no serializer would write. */
export function manifestBytes(fields: Readonly<Record<string, unknown>>): Uint8Array {
  const manifest = { schemaVersion: 2, mediaType: mediaTypes.ociManifest, ...fields };
  return new TextEncoder().encode(` ${JSON.stringify(manifest, undefined, 3)}\n\n`);
}

/** The location that a reply must have with its status. */
export function locationOf(reply: Reply, status: number): string {
  const location = reply.headers.get("location");
  if (reply.status === status && location !== null && location !== "") return location;
  const text = new TextDecoder().decode(reply.bytes).slice(0, 300);
  throw new Error(`expected ${status} with a location, got ${reply.status} ${location}: ${text}`);
}

/** A location with more in its query, which may hold what the registry needs. */
export function withQuery(location: string, query: Readonly<Record<string, string>>): string {
  const added = new URLSearchParams(query).toString();
  return `${location}${location.includes("?") ? "&" : "?"}${added}`;
}

/** JSON of a reply. */
export function jsonOf<T>(reply: Reply): T {
  return JSON.parse(new TextDecoder().decode(reply.bytes)) as T;
}
