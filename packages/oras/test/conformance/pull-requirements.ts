import { digestOf, mediaTypes } from "@box/oras";
import { expect } from "vitest";
import { jsonOf } from "./registry-under-test.ts";
import type { Requirement } from "./requirement.ts";

const absent = digestOf(new TextEncoder().encode("nothing has this content"));
const codes = new Set([
  ...["BLOB_UNKNOWN", "BLOB_UPLOAD_INVALID", "BLOB_UPLOAD_UNKNOWN", "DIGEST_INVALID"],
  ...["MANIFEST_BLOB_UNKNOWN", "MANIFEST_INVALID", "MANIFEST_UNKNOWN", "NAME_INVALID"],
  ...["NAME_UNKNOWN", "SIZE_INVALID", "UNAUTHORIZED", "DENIED", "UNSUPPORTED", "TOOMANYREQUESTS"],
]);
const category = "pull";
const manifests = "Pulling manifests (end-3)";
const blobs = "Pulling blobs (end-2)";
const existence = "Checking if content exists in the registry (end-2, end-3)";

/** What every registry must support. */
export const pullRequirements: readonly Requirement[] = [
  {
    id: "base",
    category,
    section: "Determining Support (end-1)",
    level: "must",
    claim: "answers the base endpoint with 200",
    check: async (registry) => {
      expect((await registry.send("GET", "/v2/")).status).toBe(200);
    },
  },
  {
    id: "get-manifest",
    category,
    section: manifests,
    level: "must",
    claim: "gives a manifest by tag and by digest, byte for byte, with 200",
    check: async (registry) => {
      const { repository, manifest, bytes } = await registry.pushImage();
      for (const reference of ["latest", manifest.digest]) {
        const reply = await registry.send("GET", `/v2/${repository}/manifests/${reference}`);
        expect([reply.status, reply.bytes]).toEqual([200, bytes]);
      }
    },
  },
  {
    id: "manifest-type",
    category,
    section: manifests,
    level: "should",
    claim: "gives a manifest the content type that it was pushed with, without parameters",
    check: async (registry) => {
      const { repository } = await registry.pushImage();
      const reply = await registry.send("GET", `/v2/${repository}/manifests/latest`);
      expect(reply.headers.get("content-type")).toBe(mediaTypes.ociManifest);
    },
  },
  {
    id: "manifest-digest-header",
    category,
    section: manifests,
    level: "should",
    claim: "tells the digest of a manifest",
    check: async (registry) => {
      const { repository, manifest } = await registry.pushImage();
      const reply = await registry.send("GET", `/v2/${repository}/manifests/latest`);
      expect(reply.headers.get("docker-content-digest")).toBe(manifest.digest);
    },
  },
  {
    id: "get-absent-manifest",
    category,
    section: manifests,
    level: "must",
    claim: "answers 404 for a manifest that is not there, and for what can be no reference",
    check: async (registry) => {
      const { repository } = await registry.pushImage();
      for (const reference of ["absent", absent, ".INVALID_MANIFEST_NAME"]) {
        const reply = await registry.send("GET", `/v2/${repository}/manifests/${reference}`);
        expect(reply.status, reference).toBe(404);
      }
    },
  },
  {
    id: "names",
    category,
    section: manifests,
    level: "must",
    claim: "takes every form of name and of tag that the grammar has",
    check: async (registry) => {
      const base = registry.newRepository();
      const tags = ["_", "A-z.0_", "0".repeat(128)];
      for (const name of [`${base}/a.b/c_d/e__f/g-h`, `${base}/0/i--j/k---l`]) {
        for (const tag of tags) {
          const { bytes } = await registry.pushImage(name, tag);
          const reply = await registry.send("GET", `/v2/${name}/manifests/${tag}`);
          expect([reply.status, reply.bytes], `${name}:${tag}`).toEqual([200, bytes]);
        }
      }
    },
  },
  {
    id: "get-blob",
    category,
    section: blobs,
    level: "must",
    claim: "gives a blob with 200, and a digest header, if any, that matches",
    check: async (registry) => {
      const { repository, layer, layerBytes } = await registry.pushImage();
      const reply = await registry.send("GET", `/v2/${repository}/blobs/${layer.digest}`);
      expect([reply.status, reply.bytes]).toEqual([200, layerBytes]);
      expect(reply.headers.get("docker-content-digest") ?? layer.digest).toBe(layer.digest);
    },
  },
  {
    id: "blob-digest-header",
    category,
    section: blobs,
    level: "should",
    claim: "tells the digest of a blob",
    check: async (registry) => {
      const { repository, layer } = await registry.pushImage();
      const reply = await registry.send("GET", `/v2/${repository}/blobs/${layer.digest}`);
      expect(reply.headers.get("docker-content-digest")).toBe(layer.digest);
    },
  },
  {
    id: "get-absent-blob",
    category,
    section: blobs,
    level: "must",
    claim: "answers 404 for a blob that the repository does not have, though another one may",
    check: async (registry) => {
      const one = await registry.pushImage();
      const other = await registry.pushImage();
      for (const digest of [absent, other.layer.digest]) {
        const reply = await registry.send("GET", `/v2/${one.repository}/blobs/${digest}`);
        expect(reply.status).toBe(404);
      }
    },
  },
  {
    id: "range",
    category,
    section: blobs,
    level: "should",
    claim: "gives a part of a blob by the Range header of RFC 9110",
    check: async (registry) => {
      const { repository, layer, layerBytes } = await registry.pushImage();
      const path = `/v2/${repository}/blobs/${layer.digest}`;
      const ask = (range: string) => registry.send("GET", path, { headers: { range } });
      const inner = await ask("bytes=2-5");
      expect([inner.status, inner.bytes]).toEqual([206, layerBytes.slice(2, 6)]);
      expect(inner.headers.get("content-range")).toBe(`bytes 2-5/${layer.size}`);
      const rest = await ask("bytes=7-");
      expect([rest.status, rest.bytes]).toEqual([206, layerBytes.slice(7)]);
    },
  },
  {
    id: "range-past-end",
    category,
    section: blobs,
    level: "should",
    claim: "answers 416 to a range past the end of a blob, as RFC 9110 has it",
    check: async (registry) => {
      const { repository, layer } = await registry.pushImage();
      const headers = { range: `bytes=${layer.size}-` };
      const path = `/v2/${repository}/blobs/${layer.digest}`;
      expect((await registry.send("GET", path, { headers })).status).toBe(416);
    },
  },
  {
    id: "absent-repository",
    category,
    section: "Pushing Manifests (end-2, end-3)",
    level: "must",
    claim: "answers 404 for pulls from a repository that is not there",
    check: async (registry) => {
      const repository = registry.newRepository();
      for (const method of ["GET", "HEAD"]) {
        for (const path of ["manifests/latest", `manifests/${absent}`, `blobs/${absent}`]) {
          const reply = await registry.send(method, `/v2/${repository}/${path}`);
          expect(reply.status, `${method} ${path}`).toBe(404);
        }
      }
    },
  },
  {
    id: "head",
    category,
    section: existence,
    level: "must",
    claim: "answers HEAD with 200 for manifests and blobs that are there, without a body",
    check: async (registry) => {
      const { repository, manifest, layer } = await registry.pushImage();
      const paths = ["manifests/latest", `manifests/${manifest.digest}`, `blobs/${layer.digest}`];
      for (const path of paths) {
        const reply = await registry.send("HEAD", `/v2/${repository}/${path}`);
        expect([reply.status, reply.bytes.byteLength], path).toEqual([200, 0]);
      }
    },
  },
  {
    id: "head-facts",
    category,
    section: existence,
    level: "should",
    claim: "tells digest and size in its answer to HEAD",
    check: async (registry) => {
      const { repository, manifest, layer } = await registry.pushImage();
      const asked = [
        ["manifests/latest", manifest],
        [`manifests/${manifest.digest}`, manifest],
        [`blobs/${layer.digest}`, layer],
      ] as const;
      for (const [path, { digest, size }] of asked) {
        const { headers } = await registry.send("HEAD", `/v2/${repository}/${path}`);
        const facts = [headers.get("docker-content-digest"), headers.get("content-length")];
        expect(facts, path).toEqual([digest, String(size)]);
      }
    },
  },
  {
    id: "head-absent",
    category,
    section: existence,
    level: "must",
    claim: "answers HEAD with 404 for what is not there",
    check: async (registry) => {
      const { repository } = await registry.pushImage();
      const paths = [
        ...["absent", absent, ".INVALID_MANIFEST_NAME"].map((one) => `manifests/${one}`),
        `blobs/${absent}`,
      ];
      for (const path of paths) {
        const reply = await registry.send("HEAD", `/v2/${repository}/${path}`);
        expect(reply.status, path).toBe(404);
      }
    },
  },
  {
    id: "error-body",
    category,
    section: "Error Codes",
    level: "must",
    claim:
      "describes failures, where it does so in JSON, as a list of errors with codes of the table",
    check: async (registry) => {
      const { repository } = await registry.pushImage();
      const failing = [
        ["GET", `/v2/${repository}/manifests/absent`],
        ["GET", `/v2/${repository}/blobs/${absent}`],
        ["GET", `/v2/${registry.newRepository()}/tags/list`],
        ["PUT", `/v2/${repository}/manifests/latest`],
        ["PUT", `/v2/${repository}/manifests/.invalid`],
        ["POST", `/v2/${repository}/blobs/uploads/?digest=x`],
      ] as const;
      for (const [method, path] of failing) {
        const reply = await registry.send(method, path);
        const type = reply.headers.get("content-type") ?? "";
        if (reply.status < 400 || !type.startsWith("application/json")) continue;
        const { errors } = jsonOf<{ errors: { code: string }[] }>(reply);
        expect(errors.length, path).toBeGreaterThan(0);
        for (const { code } of errors) expect(codes, `${method} ${path}: ${code}`).toContain(code);
      }
    },
  },
  {
    id: "warnings",
    category,
    section: "Warnings",
    level: "must if",
    claim:
      "warns, where it does, as RFC 7234 has it with code 299 and no date, in up to 4096 bytes",
    check: async (registry) => {
      const { repository } = await registry.pushImage();
      for (const path of ["/v2/", `/v2/${repository}/manifests/latest`]) {
        const warning = (await registry.send("GET", path)).headers.get("warning") ?? '299 - "x"';
        expect(warning).toMatch(/^299 - "(?:[^"\\]|\\.)*"(?:, 299 - "(?:[^"\\]|\\.)*")*$/);
        expect(warning.length).toBeLessThanOrEqual(4096);
      }
    },
  },
];
