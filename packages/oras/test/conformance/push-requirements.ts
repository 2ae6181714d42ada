import { describe as describeContent, digestOf, mediaTypes } from "@box/oras";
import { expect } from "vitest";
import { noise } from "../sample-image.ts";
import {
  jsonOf,
  locationOf,
  manifestBytes,
  type RegistryUnderTest,
  type Reply,
  withQuery,
} from "./registry-under-test.ts";
import type { Requirement } from "./requirement.ts";

const category = "push";
const monolithic = "Pushing a blob monolithically (end-4a, end-6)";
const single = "Single POST (end-4b)";
const chunked = "Pushing a blob in chunks (end-5, end-6)";
const mounted = "Mounting a blob from another repository (end-11)";
const manifests = "Pushing Manifests (end-7)";
const withSubject = "Pushing Manifests with Subject (end-7)";

const bytes = noise(1000);
const digest = digestOf(bytes);

/** Fails unless a location leads to the blob. */
async function expectPullable(registry: RegistryUnderTest, location: string): Promise<void> {
  const reply = await registry.send("GET", location);
  expect([reply.status, reply.bytes]).toEqual([200, bytes]);
}

/** Pushes a manifest of so many bytes. */
async function putLarge(registry: RegistryUnderTest, size: number): Promise<Reply> {
  const repository = registry.newRepository();
  const config = await registry.pushBlob(repository, new TextEncoder().encode("{}"));
  const parts = { config: { ...config, mediaType: mediaTypes.ociConfig }, layers: [] };
  const rest = size - manifestBytes({ ...parts, annotations: { long: "" } }).byteLength;
  const body = manifestBytes({ ...parts, annotations: { long: "x".repeat(rest) } });
  return registry.putManifest(repository, "large", body);
}

/** What a registry does that claims the category "push". */
export const pushRequirements: readonly Requirement[] = [
  {
    id: "begin-upload",
    category,
    section: monolithic,
    level: "must",
    claim: "begins uploads with 202 and a location that no other upload has",
    check: async (registry) => {
      const repository = registry.newRepository();
      const one = await registry.beginUpload(repository);
      expect(await registry.beginUpload(repository)).not.toBe(one);
    },
  },
  {
    id: "put-blob",
    category,
    section: monolithic,
    level: "must",
    claim: "takes a blob by POST and PUT with 201 and a location that it can be pulled from",
    check: async (registry) => {
      const location = await registry.beginUpload(registry.newRepository());
      const reply = await registry.closeUpload(location, digest, { body: bytes });
      await expectPullable(registry, locationOf(reply, 201));
    },
  },
  {
    id: "put-wrong-blob",
    category,
    section: monolithic,
    level: "must",
    claim: "refuses content of another digest with 400, and keeps it under neither",
    check: async (registry) => {
      const { repository } = await registry.pushImage();
      const other = digestOf(noise(10));
      const location = await registry.beginUpload(repository);
      expect((await registry.closeUpload(location, other, { body: bytes })).status).toBe(400);
      for (const one of [digest, other]) {
        expect((await registry.send("GET", `/v2/${repository}/blobs/${one}`)).status).toBe(404);
      }
    },
  },
  {
    id: "post-blob",
    category,
    section: single,
    level: "must",
    claim: "takes a blob by one POST with 201 and its location, or begins an upload with 202",
    check: async (registry) => {
      const path = `/v2/${registry.newRepository()}/blobs/uploads/?digest=${digest}`;
      const headers = { "content-type": "application/octet-stream" };
      const reply = await registry.send("POST", path, { body: bytes, headers });
      const stored =
        reply.status === 202
          ? await registry.closeUpload(locationOf(reply, 202), digest, { body: bytes })
          : reply;
      await expectPullable(registry, locationOf(stored, 201));
    },
  },
  {
    id: "patch-blob",
    category,
    section: chunked,
    level: "must",
    claim: "takes chunks with 202, their end and a location, and closes with 201",
    check: async (registry) => {
      const begun = await registry.beginUpload(registry.newRepository());
      const first = await registry.sendChunk(begun, 0, bytes.slice(0, 600));
      expect(first.headers.get("range")).toBe("0-599");
      const second = await registry.sendChunk(locationOf(first, 202), 600, bytes.slice(600));
      expect(second.headers.get("range")).toBe("0-999");
      const closed = await registry.closeUpload(locationOf(second, 202), digest);
      await expectPullable(registry, locationOf(closed, 201));
    },
  },
  {
    id: "patch-then-put-blob",
    category,
    section: chunked,
    level: "must",
    claim: "takes the last chunk in the request that closes the upload",
    check: async (registry) => {
      const begun = await registry.beginUpload(registry.newRepository());
      const first = await registry.sendChunk(begun, 0, bytes.slice(0, 600));
      const closed = await registry.closeUpload(locationOf(first, 202), digest, {
        body: bytes.slice(600),
        headers: { "content-range": "600-999" },
      });
      await expectPullable(registry, locationOf(closed, 201));
    },
  },
  {
    id: "chunk-out-of-order",
    category,
    section: chunked,
    level: "must",
    claim: "answers 416 to a chunk that leaves a gap, or that came before",
    check: async (registry) => {
      const repository = registry.newRepository();
      const gap = await registry.beginUpload(repository);
      expect((await registry.sendChunk(gap, 1, bytes.slice(1, 600))).status).toBe(416);
      const begun = await registry.beginUpload(repository);
      const first = await registry.sendChunk(begun, 0, bytes.slice(0, 600));
      const location = locationOf(first, 202);
      expect((await registry.sendChunk(location, 0, bytes.slice(0, 600))).status).toBe(416);
      expect((await registry.sendChunk(location, 700, bytes.slice(700))).status).toBe(416);
    },
  },
  {
    id: "upload-status",
    category,
    section: "Pushing a blob in chunks (end-13)",
    level: "must",
    claim: "tells with 204 how far an upload is and where it goes on",
    check: async (registry) => {
      const begun = await registry.beginUpload(registry.newRepository());
      const first = await registry.sendChunk(begun, 0, bytes.slice(0, 600));
      const status = await registry.send("GET", locationOf(first, 202));
      expect(status.headers.get("range")).toBe("0-599");
      const second = await registry.sendChunk(locationOf(status, 204), 600, bytes.slice(600));
      const closed = await registry.closeUpload(locationOf(second, 202), digest);
      await expectPullable(registry, locationOf(closed, 201));
    },
  },
  {
    id: "closed-upload",
    category,
    section: "Endpoints (end-5, end-6, end-13)",
    level: "must",
    claim: "answers 404 to everything about an upload that is closed",
    check: async (registry) => {
      const location = await registry.beginUpload(registry.newRepository());
      locationOf(await registry.closeUpload(location, digest, { body: bytes }), 201);
      expect((await registry.send("GET", location)).status).toBe(404);
      expect((await registry.sendChunk(location, 0, bytes)).status).toBe(404);
      expect((await registry.closeUpload(location, digest, { body: bytes })).status).toBe(404);
    },
  },
  {
    id: "mount",
    category,
    section: mounted,
    level: "must",
    claim: "mounts a blob with 201 and a location that it can be pulled from, or begins an upload",
    check: async (registry) => {
      const from = registry.newRepository();
      await registry.pushBlob(from, bytes);
      const path = `/v2/${registry.newRepository()}/blobs/uploads/`;
      const reply = await registry.send("POST", withQuery(path, { mount: digest, from }));
      if (reply.status === 202) locationOf(reply, 202);
      else await expectPullable(registry, locationOf(reply, 201));
    },
  },
  {
    id: "mount-absent",
    category,
    section: mounted,
    level: "should",
    claim: "begins an upload with 202 where there is nothing to mount",
    check: async (registry) => {
      const from = registry.newRepository();
      const path = `/v2/${registry.newRepository()}/blobs/uploads/`;
      const reply = await registry.send("POST", withQuery(path, { mount: digest, from }));
      const closed = await registry.closeUpload(locationOf(reply, 202), digest, { body: bytes });
      await expectPullable(registry, locationOf(closed, 201));
    },
  },
  {
    id: "put-manifest",
    category,
    section: manifests,
    level: "must",
    claim: "takes a manifest by tag and by digest with 201 and a location, and keeps its bytes",
    check: async (registry) => {
      const { repository, manifest, bytes: body } = await registry.pushImage();
      for (const reference of ["other", manifest.digest]) {
        const put = await registry.putManifest(repository, reference, body);
        const reply = await registry.send("GET", locationOf(put, 201));
        expect([reply.status, reply.bytes]).toEqual([200, body]);
        const told = put.headers.get("docker-content-digest") ?? manifest.digest;
        expect(told).toBe(manifest.digest);
      }
    },
  },
  {
    id: "put-wrong-manifest",
    category,
    section: manifests,
    level: "must",
    claim: "refuses a manifest under another digest",
    check: async (registry) => {
      const { repository, bytes: body } = await registry.pushImage();
      const put = await registry.putManifest(repository, digest, body);
      expect(put.status).toBe(400);
      expect((await registry.send("GET", `/v2/${repository}/manifests/${digest}`)).status).toBe(
        404,
      );
    },
  },
  {
    id: "put-bad-reference",
    category,
    section: manifests,
    level: "must",
    claim: "takes manifests under no name that is no tag",
    check: async (registry) => {
      const { repository, bytes: body } = await registry.pushImage();
      for (const reference of [".a", "-a", "a+b", "a".repeat(129)]) {
        const { status } = await registry.putManifest(repository, reference, body);
        expect(status, reference).toBeGreaterThanOrEqual(400);
        expect(status, reference).toBeLessThan(500);
      }
    },
  },
  {
    id: "put-bad-digest",
    category,
    section: manifests,
    level: "must",
    claim: "takes manifests under no digest that is none",
    check: async (registry) => {
      const { repository, bytes: body } = await registry.pushImage();
      const { status } = await registry.putManifest(repository, "sha256:abc", body);
      expect([400, 404]).toContain(status);
    },
  },
  {
    id: "manifest-without-layers",
    category,
    section: manifests,
    level: "must",
    claim: "takes a manifest whose list of blobs is empty",
    check: async (registry) => {
      const repository = registry.newRepository();
      const config = await registry.pushBlob(repository, new TextEncoder().encode("{}"));
      const body = manifestBytes({
        config: { ...config, mediaType: mediaTypes.ociConfig },
        layers: [],
      });
      locationOf(await registry.putManifest(repository, "empty", body), 201);
    },
  },
  {
    id: "put-index",
    category,
    section: manifests,
    level: "must",
    claim: "takes an index, and gives it back as one",
    check: async (registry) => {
      const { repository, manifest } = await registry.pushImage();
      const body = manifestBytes({ mediaType: mediaTypes.ociIndex, manifests: [manifest] });
      locationOf(await registry.putManifest(repository, "all", body, mediaTypes.ociIndex), 201);
      const reply = await registry.send("GET", `/v2/${repository}/manifests/all`);
      expect(reply.headers.get("content-type")).toBe(mediaTypes.ociIndex);
      expect([reply.status, reply.bytes]).toEqual([200, body]);
    },
  },
  {
    id: "content-type-parameters",
    category,
    section: manifests,
    level: "should",
    claim: "ignores parameters of a manifest's content type",
    check: async (registry) => {
      const { repository, bytes: body } = await registry.pushImage();
      const type = `${mediaTypes.ociManifest}; charset=utf-8`;
      locationOf(await registry.putManifest(repository, "other", body, type), 201);
    },
  },
  {
    id: "unknown-blobs",
    category,
    section: "Push (end-7, code-5)",
    level: "must if",
    claim: "says MANIFEST_BLOB_UNKNOWN where it refuses a manifest for lack of its blobs",
    check: async (registry) => {
      const { repository, layer } = await registry.pushImage();
      const config = describeContent(mediaTypes.ociConfig, noise(7));
      const body = manifestBytes({ config, layers: [layer] });
      const put = await registry.putManifest(repository, "incomplete", body);
      if (put.status === 201) return;
      const { errors } = jsonOf<{ errors: { code: string }[] }>(put);
      expect(errors.map(({ code }) => code)).toContain("MANIFEST_BLOB_UNKNOWN");
    },
  },
  {
    id: "four-megabytes",
    category,
    section: manifests,
    level: "should",
    claim: "takes a manifest of four megabytes",
    check: async (registry) => {
      locationOf(await putLarge(registry, 4_000_000), 201);
    },
  },
  {
    id: "sixteen-mebibytes",
    category,
    section: manifests,
    level: "should",
    claim: "refuses a manifest over its limit with 413",
    check: async (registry) => {
      expect((await putLarge(registry, 2 ** 24)).status).toBe(413);
    },
  },
  {
    id: "absent-subject",
    category,
    section: "Push (end-7)",
    level: "must",
    claim: "takes a manifest about another one that is not there",
    check: async (registry) => {
      const subject = describeContent(mediaTypes.ociManifest, noise(7));
      const { reply } = await registry.pushArtifact(registry.newRepository(), {
        artifactType: "application/vnd.example",
        subject,
      });
      locationOf(reply, 201);
    },
  },
  {
    id: "subject-header",
    category,
    section: withSubject,
    level: "must if",
    claim: "tells the subject of a manifest that was pushed, as registries with referrers do",
    check: async (registry) => {
      const { repository, manifest } = await registry.pushImage();
      const { reply } = await registry.pushArtifact(repository, {
        artifactType: "application/vnd.example",
        subject: manifest,
      });
      expect(reply.headers.get("oci-subject")).toBe(manifest.digest);
    },
  },
];
