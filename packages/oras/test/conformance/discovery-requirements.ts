import { type Descriptor, digestOf, emptyDescriptor, mediaTypes } from "@box/oras";
import { expect } from "vitest";
import { noise } from "../sample-image.ts";
import {
  jsonOf,
  locationOf,
  manifestBytes,
  type RegistryUnderTest,
  type Reply,
} from "./registry-under-test.ts";
import type { Requirement } from "./requirement.ts";

const category = "content discovery";
const tagsSection = "Listing Tags (end-8a)";
const pagesSection = "Listing Tags (end-8b)";
const referrersSection = "Listing Referrers (end-12a)";

interface TagList {
  readonly name: string;
  readonly tags: readonly string[];
}

/** A repository with tags in an order of their own. */
async function taggedRepository(
  registry: RegistryUnderTest,
  tags: readonly string[],
): Promise<string> {
  const { repository, bytes } = await registry.pushImage(undefined, tags[0]);
  for (const tag of tags.slice(1))
    locationOf(await registry.putManifest(repository, tag, bytes), 201);
  return repository;
}

async function listTags(
  registry: RegistryUnderTest,
  path: string,
): Promise<TagList & { reply: Reply }> {
  const reply = await registry.send("GET", path);
  expect(reply.status, path).toBe(200);
  const { name, tags } = jsonOf<TagList>(reply);
  return { name, tags: tags ?? [], reply };
}

/** The next page by RFC 5988. */
function nextOf({ headers }: Reply): string | undefined {
  return /<([^>]+)>\s*;\s*rel="?next"?/.exec(headers.get("link") ?? "")?.[1];
}

async function referrers(
  registry: RegistryUnderTest,
  repository: string,
  digest: string,
  query = "",
): Promise<{ readonly manifests: readonly Descriptor[]; readonly headers: Headers }> {
  const reply = await registry.send("GET", `/v2/${repository}/referrers/${digest}${query}`);
  expect(reply.status).toBe(200);
  expect(reply.headers.get("content-type")).toBe(mediaTypes.ociIndex);
  const index = jsonOf<{ schemaVersion: number; mediaType: string; manifests: Descriptor[] }>(
    reply,
  );
  expect([index.schemaVersion, index.mediaType]).toEqual([2, mediaTypes.ociIndex]);
  return { manifests: index.manifests, headers: reply.headers };
}

/** What a registry does that claims the category "content discovery". */
export const discoveryRequirements: readonly Requirement[] = [
  {
    id: "tags",
    category,
    section: tagsSection,
    level: "must",
    claim: "lists the tags of a repository with 200, in order, as JSON",
    check: async (registry) => {
      const repository = await taggedRepository(registry, [
        "v2",
        "v10",
        "latest",
        "v1",
        "c",
        "z",
        "a",
        "k",
      ]);
      const { name, tags } = await listTags(registry, `/v2/${repository}/tags/list`);
      expect([name, tags]).toEqual([repository, ["a", "c", "k", "latest", "v1", "v10", "v2", "z"]]);
    },
  },
  {
    id: "tags-ignore-case",
    category,
    section: tagsSection,
    level: "must",
    claim: "orders tags without regard to case",
    check: async (registry) => {
      const repository = await taggedRepository(registry, [
        "b",
        "A",
        "C",
        "a2",
        "x",
        "Q",
        "m",
        "L",
      ]);
      const { tags } = await listTags(registry, `/v2/${repository}/tags/list`);
      expect(tags).toEqual(["A", "a2", "b", "C", "L", "m", "Q", "x"]);
      const rest = await listTags(registry, `/v2/${repository}/tags/list?n=3&last=a2`);
      expect(rest.tags).toEqual(["b", "C", "L"]);
    },
  },
  {
    id: "tags-of-absent-repository",
    category,
    section: "Endpoints (end-8a)",
    level: "must",
    claim: "answers 404 for the tags of a repository that is not there",
    check: async (registry) => {
      const reply = await registry.send("GET", `/v2/${registry.newRepository()}/tags/list`);
      expect(reply.status).toBe(404);
    },
  },
  {
    id: "tags-limit",
    category,
    section: pagesSection,
    level: "must",
    claim: "gives as many tags as were asked for, or says where the rest is",
    check: async (registry) => {
      const repository = await taggedRepository(registry, ["a", "b", "c", "d"]);
      const path = `/v2/${repository}/tags/list`;
      const two = await listTags(registry, `${path}?n=2`);
      if (two.tags.length < 2) expect(nextOf(two.reply)).toBeDefined();
      expect(two.tags).toEqual(["a", "b"].slice(0, two.tags.length));
      const all = await listTags(registry, `${path}?n=100`);
      if (all.tags.length < 4) expect(nextOf(all.reply)).toBeDefined();
      else expect(all.tags).toEqual(["a", "b", "c", "d"]);
    },
  },
  {
    id: "tags-limit-zero",
    category,
    section: pagesSection,
    level: "must",
    claim: "gives an empty list without a link when no tag is asked for",
    check: async (registry) => {
      const repository = await taggedRepository(registry, ["a", "b"]);
      const { tags, reply } = await listTags(registry, `/v2/${repository}/tags/list?n=0`);
      expect([tags, reply.headers.get("link")]).toEqual([[], null]);
    },
  },
  {
    id: "tags-last",
    category,
    section: pagesSection,
    level: "must",
    claim: "begins after the tag that is named as the last one, with a limit",
    check: async (registry) => {
      const repository = await taggedRepository(registry, ["a", "b", "c", "d"]);
      const { tags } = await listTags(registry, `/v2/${repository}/tags/list?n=2&last=b`);
      expect(tags).toEqual(["c", "d"].slice(0, tags.length));
      const end = await listTags(registry, `/v2/${repository}/tags/list?n=2&last=d`);
      expect(end.tags).toEqual([]);
    },
  },
  {
    id: "tags-last-alone",
    category,
    section: pagesSection,
    level: "must",
    claim: "begins after the tag that is named as the last one, without a limit",
    check: async (registry) => {
      const repository = await taggedRepository(registry, ["a", "b", "c", "d"]);
      const { tags } = await listTags(registry, `/v2/${repository}/tags/list?last=b`);
      expect(tags).toEqual(["c", "d"]);
    },
  },
  {
    id: "tags-link",
    category,
    section: pagesSection,
    level: "must if",
    claim: "links, where it does, to the next page, until all tags are out in order, each once",
    check: async (registry) => {
      const all = ["a", "b", "c", "d", "e", "f", "g", "h", "i"];
      const repository = await taggedRepository(registry, all);
      const found: string[] = [];
      let path: string | undefined = `/v2/${repository}/tags/list?n=2`;
      for (let pages = 0; path !== undefined && pages < 20; pages++) {
        const page: TagList & { reply: Reply } = await listTags(registry, path);
        found.push(...page.tags);
        path = nextOf(page.reply);
      }
      // A registry need not link: then the first page is all that there is here.
      expect(found).toEqual(found.length === 2 ? all.slice(0, 2) : all);
    },
  },
  {
    id: "referrers",
    category,
    section: referrersSection,
    level: "must",
    claim: "lists what is about a manifest, with types and annotations",
    check: async (registry) => {
      const { repository, manifest } = await registry.pushImage();
      const annotations = { "org.example.made": "today" };
      const typed = await registry.pushArtifact(repository, {
        artifactType: "application/vnd.example.sbom",
        subject: manifest,
        annotations,
      });
      const untyped = await registry.pushArtifact(repository, {
        config: { ...emptyDescriptor, mediaType: "application/vnd.example.config" },
        subject: manifest,
      });
      const emptyTyped = await registry.pushArtifact(repository, {
        artifactType: "",
        config: { ...emptyDescriptor, mediaType: "application/vnd.example.other" },
        subject: manifest,
      });
      const body = manifestBytes({
        mediaType: mediaTypes.ociIndex,
        manifests: [],
        subject: manifest,
        annotations,
      });
      const index = digestOf(body);
      locationOf(await registry.putManifest(repository, index, body, mediaTypes.ociIndex), 201);
      const { manifests } = await referrers(registry, repository, manifest.digest);
      expect(new Map(manifests.map((one) => [one.digest, one]))).toEqual(
        new Map([
          [
            typed.manifest.digest,
            { ...typed.manifest, artifactType: "application/vnd.example.sbom", annotations },
          ],
          [
            untyped.manifest.digest,
            { ...untyped.manifest, artifactType: "application/vnd.example.config" },
          ],
          [
            emptyTyped.manifest.digest,
            { ...emptyTyped.manifest, artifactType: "application/vnd.example.other" },
          ],
          [
            index,
            {
              mediaType: mediaTypes.ociIndex,
              digest: index,
              size: body.byteLength,
              annotations,
            },
          ],
        ]),
      );
    },
  },
  {
    id: "referrers-before-subject",
    category,
    section: referrersSection,
    level: "must",
    claim: "lists what was pushed before its subject",
    check: async (registry) => {
      const other = await registry.pushImage();
      const repository = registry.newRepository();
      const artifact = await registry.pushArtifact(repository, {
        artifactType: "application/vnd.example",
        subject: other.manifest,
      });
      const { manifests } = await referrers(registry, repository, other.manifest.digest);
      expect(manifests.map(({ digest }) => digest)).toEqual([artifact.manifest.digest]);
    },
  },
  {
    id: "referrers-none",
    category,
    section: referrersSection,
    level: "must",
    claim: "gives an empty list where there is nothing, and never 404",
    check: async (registry) => {
      const { repository, manifest } = await registry.pushImage();
      for (const digest of [manifest.digest, digestOf(noise(9))]) {
        expect((await referrers(registry, repository, digest)).manifests).toEqual([]);
      }
    },
  },
  {
    id: "referrers-invalid",
    category,
    section: referrersSection,
    level: "must",
    claim: "answers 400 to what is no digest",
    check: async (registry) => {
      const { repository } = await registry.pushImage();
      const reply = await registry.send("GET", `/v2/${repository}/referrers/sha256:abc`);
      expect(reply.status).toBe(400);
    },
  },
  {
    id: "referrers-filter",
    category,
    section: "Listing Referrers (end-12b)",
    level: "should",
    claim: "lists one type of artifacts alone, and says so",
    check: async (registry) => {
      const { repository, manifest } = await registry.pushImage();
      const types = ["application/vnd.example.one", "application/vnd.example.two"];
      for (const artifactType of types) {
        await registry.pushArtifact(repository, { artifactType, subject: manifest });
      }
      const query = `?artifactType=${encodeURIComponent(types[1] ?? "")}`;
      const { manifests, headers } = await referrers(registry, repository, manifest.digest, query);
      expect(manifests.map(({ artifactType }) => artifactType)).toEqual([types[1]]);
      expect(headers.get("oci-filters-applied")).toBe("artifactType");
    },
  },
];
