import { digestOf, mediaTypes } from "@box/oras";
import { expect } from "vitest";
import { noise } from "../sample-image.ts";
import { jsonOf, locationOf, type Reply } from "./registry-under-test.ts";
import type { Requirement } from "./requirement.ts";

const category = "content management";

/** Whether something was deleted; a registry may have that switched off, and says so then. */
function isDeleted({ status }: Reply): boolean {
  expect([202, 400, 405]).toContain(status);
  return status === 202;
}

/** What a registry does that claims the category "content management". */
export const managementRequirements: readonly Requirement[] = [
  {
    id: "delete-tag",
    category,
    section: "Deleting tags (end-9)",
    level: "must",
    claim: "deletes a tag with 202 and leaves its manifest, or answers 400 or 405",
    check: async (registry) => {
      const { repository, manifest, bytes } = await registry.pushImage();
      locationOf(await registry.putManifest(repository, "other", bytes), 201);
      const path = `/v2/${repository}/manifests`;
      if (!isDeleted(await registry.send("DELETE", `${path}/latest`))) return;
      expect((await registry.send("GET", `${path}/latest`)).status).toBe(404);
      for (const reference of ["other", manifest.digest]) {
        expect((await registry.send("GET", `${path}/${reference}`)).status).toBe(200);
      }
      const list = jsonOf<{ tags: string[] }>(
        await registry.send("GET", `/v2/${repository}/tags/list`),
      );
      expect(list.tags).toEqual(["other"]);
    },
  },
  {
    id: "delete-manifest",
    category,
    section: "Deleting Manifests (end-9)",
    level: "must",
    claim: "deletes a manifest with 202, and its tags with it, or answers 400 or 405",
    check: async (registry) => {
      const { repository, manifest, bytes } = await registry.pushImage();
      locationOf(await registry.putManifest(repository, "other", bytes), 201);
      const path = `/v2/${repository}/manifests`;
      if (!isDeleted(await registry.send("DELETE", `${path}/${manifest.digest}`))) return;
      for (const reference of [manifest.digest, "latest", "other"]) {
        const reply = await registry.send("GET", `${path}/${reference}`);
        expect(reply.status, reference).toBe(404);
      }
      expect((await registry.send("DELETE", `${path}/${manifest.digest}`)).status).toBe(404);
    },
  },
  {
    id: "delete-from-absent-repository",
    category,
    section: "Deleting Manifests (end-9)",
    level: "must",
    claim: "answers 404 for a manifest of a repository that is not there",
    check: async (registry) => {
      const path = `/v2/${registry.newRepository()}/manifests/${digestOf(noise(3))}`;
      expect((await registry.send("DELETE", path)).status).toBe(404);
    },
  },
  {
    id: "delete-blob",
    category,
    section: "Deleting Blobs (end-10)",
    level: "must",
    claim: "deletes a blob with 202, or answers 400 or 405",
    check: async (registry) => {
      const repository = registry.newRepository();
      const { digest } = await registry.pushBlob(repository, noise(500));
      const path = `/v2/${repository}/blobs/${digest}`;
      if (!isDeleted(await registry.send("DELETE", path))) return;
      expect((await registry.send("GET", path)).status).toBe(404);
      expect((await registry.send("HEAD", path)).status).toBe(404);
    },
  },
  {
    id: "delete-absent-blob",
    category,
    section: "Deleting Blobs (end-10)",
    level: "must",
    claim: "answers 404 for a blob that is not there",
    check: async (registry) => {
      const { repository } = await registry.pushImage();
      const path = `/v2/${repository}/blobs/${digestOf(noise(3))}`;
      expect((await registry.send("DELETE", path)).status).toBe(404);
    },
  },
  {
    id: "delete-referrer",
    category,
    section: "Deleting Manifests (end-9, end-12a)",
    level: "must if",
    claim: "no longer lists a referrer that was deleted, where it lists referrers",
    check: async (registry) => {
      const { repository, manifest } = await registry.pushImage();
      const artifact = await registry.pushArtifact(repository, {
        artifactType: "application/vnd.example",
        subject: manifest,
      });
      const list = (): Promise<Reply> =>
        registry.send("GET", `/v2/${repository}/referrers/${manifest.digest}`);
      if ((await list()).headers.get("content-type") !== mediaTypes.ociIndex) return;
      const path = `/v2/${repository}/manifests/${artifact.manifest.digest}`;
      if (!isDeleted(await registry.send("DELETE", path))) return;
      expect(jsonOf<{ manifests: unknown[] }>(await list()).manifests).toEqual([]);
    },
  },
];
