import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { dockerRegistryProgram, hasTool, startDockerRegistry } from "@box/test-support";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { RegistryUnderTest } from "./registry-under-test.ts";
import { requirements, titleOf } from "./requirements.ts";

/**
 * Where Debian's registry (2.8, made for the specification's 1.0) does not conform to 1.1, by requirement. All else must
 * hold: it shows that the requirements ask for no more than registries do.
 */
const differences: Readonly<Record<string, string>> = {
  "range-past-end": "announces the blob's length, sends less and breaks the connection off",
  "chunk-out-of-order": "does not look at Content-Range",
  "put-bad-digest": "answers 500",
  "sixteen-mebibytes": "answers 400",
  tags: "lists tags in the order of its storage",
  "tags-ignore-case": "lists tags in the order of its storage",
  "tags-limit": "gives all tags, whatever is asked for",
  "tags-limit-zero": "gives all tags, whatever is asked for",
  "tags-last": "gives all tags, whatever is asked for",
  "tags-last-alone": "gives all tags, whatever is asked for",
  "tags-link": "gives all tags, whatever is asked for, in the order of its storage",
  "subject-header": "is older than referrers",
  referrers: "is older than referrers",
  "referrers-before-subject": "is older than referrers",
  "referrers-none": "is older than referrers",
  "referrers-invalid": "is older than referrers",
  "referrers-filter": "is older than referrers",
};

describe.skipIf(!hasTool(dockerRegistryProgram))("Debian's docker-registry", () => {
  let folder = "";
  let started: Awaited<ReturnType<typeof startDockerRegistry>> | undefined;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "box-oras-"));
    started = await startDockerRegistry(folder);
  });

  afterAll(async () => {
    started?.stop();
    await rm(folder, { recursive: true, force: true });
  });

  test.each(requirements.map((one) => [titleOf(one), one] as const))("%s", async (_title, one) => {
    const registry = new RegistryUnderTest(`http://${started?.host}`);
    const checked = one.check(registry);
    if (differences[one.id] === undefined) await checked;
    else await expect(checked, differences[one.id]).rejects.toThrow();
  });

  test("differs in nothing that is no requirement", () => {
    const ids = requirements.map(({ id }) => id);
    for (const id of Object.keys(differences)) expect(ids).toContain(id);
  });
});
