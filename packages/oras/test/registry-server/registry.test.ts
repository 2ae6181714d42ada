import { mkdir, readdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import {
  copy,
  type Descriptor,
  describe as describeContent,
  digestOf,
  MemoryTarget,
  mediaTypes,
  RemoteRepository,
} from "@box/oras";
import {
  FolderRegistryStorage,
  MemoryRegistryStorage,
  type RegistryStorage,
  type ServedRegistry,
  serveRegistry,
} from "@box/oras/registry-server";
import { describe, expect, onTestFinished, test } from "vitest";
import { collect } from "../collect.ts";
import { encodeJson, noise, sampleImage } from "../sample-image.ts";
import { temporaryFolder } from "../temporary-folder.ts";
import { testClient } from "../test-client.ts";
import { pushSample } from "./seed.ts";

const storages: Record<string, () => Promise<RegistryStorage>> = {
  memory: async () => new MemoryRegistryStorage(),
  "a folder": async () => FolderRegistryStorage.open(await temporaryFolder(), Date.now()),
};

async function addBlob(origin: string, repository: string): Promise<void> {
  const url = `${origin}/v2/${repository}/blobs/uploads/?digest=${digest}`;
  expect((await fetch(url, { method: "POST", body })).status).toBe(201);
}

async function errorCode(response: Response): Promise<string> {
  const body = (await response.json()) as { errors: { code: string }[] };
  return `${response.status} ${body.errors[0]?.code}`;
}

const image = await sampleImage();
const bytes = noise(1000);
const digest = digestOf(bytes);
const body = bytes as Uint8Array<ArrayBuffer>;

describe.each(Object.entries(storages))("the registry in %s", (_name, createStorage) => {
  async function registry(): Promise<ServedRegistry> {
    const served = await serveRegistry({ storage: await createStorage() });
    onTestFinished(() => served.close());
    return served;
  }

  test("listens on loopback and answers the base endpoint", async () => {
    const { origin, host } = await registry();
    expect(origin).toBe(`http://${host}`);
    expect(host).toMatch(/^127\.0\.0\.1:\d+$/);
    const response = await fetch(`${origin}/v2/`);
    expect(response.status).toBe(200);
    expect(response.headers.get("docker-distribution-api-version")).toBe("registry/2.0");
  });

  test("keeps manifests byte for byte", async () => {
    const { origin } = await registry();
    await pushSample(origin, "a/b", "v1", image);
    for (const reference of ["v1", image.root.digest]) {
      const response = await fetch(`${origin}/v2/a/b/manifests/${reference}`);
      expect(new Uint8Array(await response.arrayBuffer())).toEqual(image.manifestBytes);
      expect(response.headers.get("docker-content-digest")).toBe(image.root.digest);
      expect(response.headers.get("content-type")).toBe(image.root.mediaType);
    }
    const head = await fetch(`${origin}/v2/a/b/manifests/v1`, { method: "HEAD" });
    expect(head.headers.get("content-length")).toBe(String(image.manifestBytes.byteLength));
    expect(await head.text()).toBe("");
  });

  test("takes a blob in chunks, tells how far it is, and refuses a chunk out of order", async () => {
    const { origin } = await registry();
    const begun = await fetch(`${origin}/v2/a/blobs/uploads/`, { method: "POST" });
    expect(begun.status).toBe(202);
    const location = `${origin}${begun.headers.get("location")}`;
    const patch = (range: string, part: Uint8Array<ArrayBuffer>) =>
      fetch(location, { method: "PATCH", headers: { "content-range": range }, body: part });
    expect((await patch("0-599", bytes.slice(0, 600))).headers.get("range")).toBe("0-599");
    expect((await patch("700-999", bytes.slice(700))).status).toBe(416);
    expect((await patch("x", bytes.slice(700))).status).toBe(416);
    const asked = await fetch(location);
    expect([asked.status, asked.headers.get("range")]).toEqual([204, "0-599"]);
    const put = (range: string) =>
      fetch(`${location}?digest=${digest}`, {
        method: "PUT",
        headers: { "content-range": range },
        body: bytes.slice(600),
      });
    expect((await put("601-1000")).status).toBe(416);
    expect((await put("600-999")).status).toBe(201);
    const read = await fetch(`${origin}/v2/a/blobs/${digest}`);
    expect(new Uint8Array(await read.arrayBuffer())).toEqual(bytes);
  });

  test("cancels uploads and forgets them", async () => {
    const { origin } = await registry();
    const begun = await fetch(`${origin}/v2/a/blobs/uploads/`, { method: "POST" });
    const location = `${origin}${begun.headers.get("location")}`;
    expect((await fetch(location, { method: "POST" })).status).toBe(405);
    expect((await fetch(location, { method: "DELETE" })).status).toBe(204);
    expect(await errorCode(await fetch(location))).toBe("404 BLOB_UPLOAD_UNKNOWN");
  });

  test("refuses content with another digest", async () => {
    const { origin } = await registry();
    const other = digestOf(new Uint8Array(1));
    const url = `${origin}/v2/a/blobs/uploads/?digest=${other}`;
    expect(await errorCode(await fetch(url, { method: "POST", body }))).toBe("400 DIGEST_INVALID");
    const wrong = `${origin}/v2/a/blobs/uploads/?digest=sha256:../x`;
    expect(await errorCode(await fetch(wrong, { method: "POST", body }))).toBe(
      "400 DIGEST_INVALID",
    );
  });

  test("mounts a blob from another repository, else begins an upload", async () => {
    const { origin } = await registry();
    await addBlob(origin, "from");
    const mount = (from: string) =>
      fetch(`${origin}/v2/to/blobs/uploads/?mount=${digest}&from=${from}`, { method: "POST" });
    expect((await mount("elsewhere")).status).toBe(202);
    expect((await mount("from")).status).toBe(201);
    expect((await fetch(`${origin}/v2/to/blobs/${digest}`, { method: "HEAD" })).status).toBe(200);
  });

  test.each([
    ["bytes=10-19", 206, "bytes 10-19/1000", 10],
    ["bytes=990-", 206, "bytes 990-999/1000", 10],
    ["bytes=-10", 206, "bytes 990-999/1000", 10],
    ["bytes=0-5000", 206, "bytes 0-999/1000", 1000],
    ["bytes=1000-", 416, "bytes */1000", 0],
    ["bytes=-0", 416, "bytes */1000", 0],
    ["bytes=0-1,5-6", 200, null, 1000],
    ["lines=1-2", 200, null, 1000],
    ["bytes=-", 200, null, 1000],
  ])("answers the range %s with %i", async (range, status, contentRange, length) => {
    const { origin } = await registry();
    await addBlob(origin, "a");
    const response = await fetch(`${origin}/v2/a/blobs/${digest}`, { headers: { range } });
    expect(response.status).toBe(status);
    expect(response.headers.get("content-range")).toBe(contentRange);
    expect((await response.arrayBuffer()).byteLength).toBe(length);
  });

  test("lists tags and repositories by pages", async () => {
    const { origin } = await registry();
    for (const tag of ["c", "a", "b"]) await pushSample(origin, "repo", tag, image);
    await pushSample(origin, "another", "v", image);
    const first = await fetch(`${origin}/v2/repo/tags/list?n=2`);
    expect(await first.json()).toEqual({ name: "repo", tags: ["a", "b"] });
    expect(first.headers.get("link")).toBe('</v2/repo/tags/list?n=2&last=b>; rel="next"');
    const second = await fetch(`${origin}/v2/repo/tags/list?n=2&last=b`);
    expect(await second.json()).toEqual({ name: "repo", tags: ["c"] });
    expect(second.headers.get("link")).toBeNull();
    expect(await (await fetch(`${origin}/v2/_catalog?n=1`)).json()).toEqual({
      repositories: ["another"],
    });
    expect(await (await fetch(`${origin}/v2/repo/tags/list?n=0`)).json()).toMatchObject({
      tags: [],
    });
  });

  test("lists referrers, filtered by type", async () => {
    const { origin } = await registry();
    await pushSample(origin, "r", "v1", image);
    const artifact = encodeJson({
      schemaVersion: 2,
      mediaType: mediaTypes.ociManifest,
      artifactType: "application/sbom",
      config: image.config,
      layers: [],
      subject: image.root,
      annotations: { made: "today" },
    });
    const put = await fetch(`${origin}/v2/r/manifests/${digestOf(artifact)}`, {
      method: "PUT",
      headers: { "content-type": mediaTypes.ociManifest },
      body: artifact as Uint8Array<ArrayBuffer>,
    });
    expect(put.headers.get("oci-subject")).toBe(image.root.digest);
    const list = async (query: string) => {
      const response = await fetch(`${origin}/v2/r/referrers/${image.root.digest}${query}`);
      const index = (await response.json()) as { manifests: unknown[] };
      return { filters: response.headers.get("oci-filters-applied"), ...index };
    };
    expect(await list("")).toMatchObject({
      filters: null,
      manifests: [{ artifactType: "application/sbom", annotations: { made: "today" } }],
    });
    expect(await list("?artifactType=other")).toMatchObject({
      filters: "artifactType",
      manifests: [],
    });
  });

  test("deletes tags, manifests and blobs", async () => {
    const { origin } = await registry();
    for (const tag of ["v1", "v2"]) await pushSample(origin, "r", tag, image);
    const remove = async (path: string) =>
      (await fetch(`${origin}/v2/r/${path}`, { method: "DELETE" })).status;
    expect(await remove("manifests/v1")).toBe(202);
    expect(await remove("manifests/v1")).toBe(404);
    expect((await fetch(`${origin}/v2/r/manifests/v2`)).status).toBe(200);
    expect(await remove(`manifests/${image.root.digest}`)).toBe(202);
    expect((await fetch(`${origin}/v2/r/manifests/v2`)).status).toBe(404);
    expect(await remove(`blobs/${image.config.digest}`)).toBe(202);
    expect(await remove(`blobs/${image.config.digest}`)).toBe(404);
  });

  test("refuses a manifest whose parts it does not have", async () => {
    const { origin } = await registry();
    const put = (mediaType: string, manifest: Uint8Array, tag = "v1") =>
      fetch(`${origin}/v2/r/manifests/${tag}`, {
        method: "PUT",
        headers: { "content-type": mediaType },
        body: manifest as Uint8Array<ArrayBuffer>,
      });
    expect(await errorCode(await put(mediaTypes.ociManifest, image.manifestBytes))).toBe(
      "404 MANIFEST_BLOB_UNKNOWN",
    );
    const index = encodeJson({ schemaVersion: 2, manifests: [image.root] });
    expect(await errorCode(await put(mediaTypes.ociIndex, index))).toBe(
      "404 MANIFEST_BLOB_UNKNOWN",
    );
    const empty = encodeJson({ schemaVersion: 2, manifests: [] });
    expect((await put(mediaTypes.ociIndex, empty)).status).toBe(201);
    expect(await errorCode(await put(mediaTypes.ociIndex, empty, digest))).toBe(
      "400 DIGEST_INVALID",
    );
    expect(await errorCode(await put(mediaTypes.ociIndex, encodeJson([])))).toBe(
      "400 MANIFEST_INVALID",
    );
    expect(await errorCode(await put(mediaTypes.ociIndex, new Uint8Array(5_000_000)))).toBe(
      "413 SIZE_INVALID",
    );
  });

  test.each([
    ["GET", "/", "404 NAME_UNKNOWN"],
    ["GET", "/v2/a/unknown/x", "404 NAME_UNKNOWN"],
    ["GET", "/v2/a/%ff/x", "404 NAME_UNKNOWN"],
    ["GET", "/v2/A/tags/list", "400 NAME_INVALID"],
    ["GET", "/v2/nothing/tags/list", "404 NAME_UNKNOWN"],
    ["GET", "/v2/a/manifests/v1", "404 MANIFEST_UNKNOWN"],
    ["GET", "/v2/a/manifests/.v1", "404 MANIFEST_UNKNOWN"],
    ["PUT", "/v2/a/manifests/.v1", "400 MANIFEST_INVALID"],
    ["POST", "/v2/a/manifests/v1", "405 UNSUPPORTED"],
    ["GET", `/v2/a/blobs/${digest}`, "404 BLOB_UNKNOWN"],
    ["GET", "/v2/a/blobs/sha256:x", "400 DIGEST_INVALID"],
    ["GET", "/v2/a/blobs/uploads", "405 UNSUPPORTED"],
    ["PUT", "/v2/", "405 UNSUPPORTED"],
    ["GET", "/v2/a/referrers/x", "400 DIGEST_INVALID"],
  ])("answers %s %s with %s", async (method, path, expected) => {
    const { origin } = await registry();
    expect(await errorCode(await fetch(`${origin}${path}`, { method }))).toBe(expected);
  });

  test("reports its own failures and answers 500", async () => {
    const failures: unknown[] = [];
    const storage = await createStorage();
    storage.tags = () => Promise.reject(new Error("the disk is gone"));
    const served = await serveRegistry({ storage, onError: (error) => failures.push(error) });
    onTestFinished(() => served.close());
    expect((await fetch(`${served.origin}/v2/a/tags/list`)).status).toBe(500);
    expect(failures).toEqual([new Error("the disk is gone")]);
  });

  test("lists many referrers by pages, each once", async () => {
    const { origin, storage } = await registry();
    const subject = digestOf(bytes);
    for (let count = 0; count < 101; count++) {
      const manifest = encodeJson({ count });
      const listed = describeContent(mediaTypes.ociManifest, manifest);
      await storage.putManifest("r", { ...listed, bytes: manifest, subject, listed });
    }
    const first = await fetch(`${origin}/v2/r/referrers/${subject}?artifactType=x`);
    expect(await first.json()).toMatchObject({ manifests: [] });
    const repository = new RemoteRepository(testClient(), new URL(origin).host, "r");
    const found = await collect(repository.referrers({ ...image.root, digest: subject }));
    expect(new Set(found.map((one) => one.digest)).size).toBe(101);
    expect(found).toHaveLength(101);
  });

  test("goes on with referrers where it was when the last one of a page is deleted", async () => {
    const { origin, storage } = await registry();
    const subject = digestOf(bytes);
    for (let count = 0; count < 150; count++) {
      const manifest = encodeJson({ count });
      const listed = describeContent(mediaTypes.ociManifest, manifest);
      await storage.putManifest("r", { ...listed, bytes: manifest, subject, listed });
    }
    const first = await fetch(`${origin}/v2/r/referrers/${subject}`);
    const { manifests } = (await first.json()) as { manifests: Descriptor[] };
    await storage.deleteManifest("r", (manifests.at(-1) as Descriptor).digest);
    const next = /^<(.*)>/.exec(first.headers.get("link") ?? "")?.[1];
    const second = await fetch(`${origin}${next}`);
    const rest = (await second.json()) as { manifests: Descriptor[] };
    expect(manifests).toHaveLength(100);
    expect(rest.manifests).toHaveLength(50);
    const all = [...manifests, ...rest.manifests].map(({ digest }) => digest);
    expect(new Set(all).size).toBe(150);
  });

  test("stops a blob at the limit and forgets it, and takes one writer at a time", async () => {
    const served = await serveRegistry({ storage: await createStorage(), maxBlobBytes: 1500 });
    onTestFinished(() => served.close());
    const { origin } = served;
    await addBlob(origin, "a");
    const begun = await fetch(`${origin}/v2/a/blobs/uploads/`, { method: "POST" });
    const location = `${origin}${begun.headers.get("location")}`;
    const slow = new ReadableStream({
      start: (controller) => {
        controller.enqueue(bytes);
        setTimeout(() => controller.close(), 300);
      },
    });
    const writing = fetch(location, { method: "PATCH", body: slow, duplex: "half" } as RequestInit);
    let size = "";
    for (let attempt = 0; size !== "0-999" && attempt < 1000; attempt++) {
      size = (await fetch(location)).headers.get("range") ?? "";
    }
    expect(await errorCode(await fetch(location, { method: "PATCH", body }))).toBe(
      "409 BLOB_UPLOAD_INVALID",
    );
    expect((await writing).status).toBe(202);
    expect(await errorCode(await fetch(location, { method: "PATCH", body }))).toBe(
      "413 SIZE_INVALID",
    );
    expect((await fetch(location)).status).toBe(404);
  });
});

describe("a registry in a folder", () => {
  test("is the same after a new start; half an upload is gone after a day", async () => {
    const folder = await temporaryFolder();
    const now = Date.now();
    const first = await serveRegistry({ storage: await FolderRegistryStorage.open(folder, now) });
    await pushSample(first.origin, "team/app", "v1", image);
    await pushSample(first.origin, "team", "v2", image);
    const begun = await fetch(`${first.origin}/v2/team/blobs/uploads/`, { method: "POST" });
    expect(begun.status).toBe(202);
    await first.close();
    expect(await readdir(join(folder, "uploads"))).toHaveLength(1);
    await (await FolderRegistryStorage.open(folder, now + 3_600_000)).close();
    expect(await readdir(join(folder, "uploads"))).toHaveLength(1);
    const storage = await FolderRegistryStorage.open(folder, now + 25 * 3_600_000);
    expect(await readdir(join(folder, "uploads"))).toEqual([]);
    await using second = await serveRegistry({ storage });
    expect(await storage.repositories()).toEqual(["team", "team/app"]);
    const repository = new RemoteRepository(testClient(), second.host, "team/app");
    expect(await copy(repository, "v1", new MemoryTarget())).toEqual(image.root);
  });

  test("shows nothing half-written as a tag, a blob or a referrer", async () => {
    const folder = await temporaryFolder();
    const storage = await FolderRegistryStorage.open(folder, Date.now());
    await using served = await serveRegistry({ storage });
    await pushSample(served.origin, "app", "v1", image);
    const tags = join(folder, "repositories", "app", "_tags");
    await writeFile(join(tags, ".tmp-1-2-3"), "half");
    await writeFile(join(tags, "broken"), "half a digest");
    expect(await storage.tags("app")).toEqual(["broken", "v1"]);
    expect(await storage.findManifest("app", "broken")).toBeUndefined();
    await rm(join(folder, "blobs"), { recursive: true });
    expect(await storage.blobSize("app", image.config.digest)).toBeUndefined();
    expect(await storage.findManifest("app", "v1")).toBeUndefined();
  });

  test("tells an I/O error from what is not there", async () => {
    const folder = await temporaryFolder();
    const failures: unknown[] = [];
    const storage = await FolderRegistryStorage.open(folder, Date.now());
    await using served = await serveRegistry({ storage, onError: (error) => failures.push(error) });
    await pushSample(served.origin, "app", "v1", image);
    const tag = join(folder, "repositories", "app", "_tags", "v1");
    await rm(tag);
    await mkdir(tag);
    expect((await fetch(`${served.origin}/v2/app/manifests/v1`)).status).toBe(500);
    expect(failures).toMatchObject([{ code: "IO_FAILED" }]);
  });
});
