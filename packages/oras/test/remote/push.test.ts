import {
  attach,
  bytesSource,
  copy,
  describe as describeContent,
  digestOf,
  discover,
  extendedCopy,
  MemoryTarget,
  pack,
  RemoteRepository,
} from "@box/oras";
import { type ServedRegistry, serveRegistry } from "@box/oras/registry-server";
import { drain, scriptedServer } from "@box/test-support";
import { describe, expect, onTestFinished, test } from "vitest";
import { collect } from "../collect.ts";
import { expectCode } from "../expect-code.ts";
import { add, encodeJson, noise, sampleImage } from "../sample-image.ts";
import { testClient } from "../test-client.ts";

const content = noise(300_000);
const blob = describeContent("application/octet-stream", content);

async function registry(): Promise<ServedRegistry> {
  const served = await serveRegistry();
  onTestFinished(() => served.close());
  return served;
}

/** A proxy before the registry that can break requests and writes them down. */
async function proxied(
  breaks: (method: string, count: number) => "before" | "after" | number | undefined,
) {
  const { origin } = await registry();
  const counts = new Map<string, number>();
  const server = await scriptedServer(async (request, response) => {
    const method = request.method ?? "";
    const count = (counts.get(method) ?? 0) + 1;
    counts.set(method, count);
    const fault = breaks(method, count);
    const body: Buffer[] = [];
    for await (const chunk of request) {
      body.push(chunk as Buffer);
      if (fault === "before") return response.destroy();
    }
    if (typeof fault === "number") {
      response.writeHead(fault);
      return response.end();
    }
    const { host: _host, connection: _connection, ...headers } = request.headers;
    const hasBody = method !== "GET" && method !== "HEAD";
    const reply = await fetch(`${origin}${request.url}`, {
      method,
      headers: headers as Record<string, string>,
      ...(hasBody ? { body: new Uint8Array(Buffer.concat(body)) } : {}),
    });
    if (fault === "after") return response.destroy();
    response.writeHead(reply.status, Object.fromEntries(reply.headers));
    return response.end(Buffer.from(await reply.arrayBuffer()));
  });
  return { server, repository: new RemoteRepository(testClient(), server.host, "app") };
}

describe("pushing", () => {
  test("brings an image to a registry and back", async () => {
    const { host } = await registry();
    const repository = new RemoteRepository(testClient(), host, "team/app");
    const image = await sampleImage();
    await copy(image.target, "v1", repository);
    const back = new MemoryTarget();
    expect(await copy(repository, "v1", back)).toEqual(image.root);
    await repository.tag(image.root, "v2");
    const fresh = new RemoteRepository(testClient(), host, "team/app");
    await fresh.tag(image.root, "v3");
    expect(await collect(fresh.tags())).toEqual(["v1", "v2", "v3"]);
  });

  test("sends a large blob in chunks", async () => {
    const { server, repository } = await proxied(() => undefined);
    await repository.push(blob, bytesSource(content), { chunkBytes: 100_000 });
    expect(Buffer.compare(await drain(repository.fetch(blob)), content)).toBe(0);
    const patches = server.seen.filter(({ method }) => method === "PATCH");
    expect(patches.map(({ headers }) => headers["content-range"])).toEqual([
      "0-99999",
      "100000-199999",
      "200000-299999",
    ]);
  });

  test("mounts a blob that another repository has", async () => {
    const { server, repository } = await proxied(() => undefined);
    const other = new RemoteRepository(testClient(), server.host, "other");
    await other.push(blob, bytesSource(content));
    server.seen.splice(0);
    const failing = { open: () => Promise.reject(new Error("nothing is read")) };
    await repository.push(blob, failing, { mountFrom: "other" });
    expect(server.seen).toHaveLength(1);
    const next = describeContent("application/octet-stream", content.subarray(1));
    await repository.push(next, bytesSource(content.subarray(1)), { mountFrom: "other" });
    expect(await repository.exists(next)).toBe(true);
  });

  describe("between repositories of one registry", () => {
    test("copies without fetching or sending any blob", async () => {
      const { server, repository } = await proxied(() => undefined);
      const image = await sampleImage();
      const other = new RemoteRepository(testClient(), server.host, "team/other");
      await copy(image.target, "v1", other);
      server.seen.splice(0);
      expect(await copy(other, "v1", repository)).toEqual(image.root);
      const posts = server.seen.filter(({ method }) => method === "POST");
      expect(posts.map(({ path }) => new URLSearchParams(path.split("?")[1]).get("from"))).toEqual(
        [image.config, ...image.layers].map(() => "team/other"),
      );
      const blobs = server.seen.filter(({ path }) => path.includes("/blobs/"));
      expect(new Set(blobs.map(({ method }) => method))).toEqual(new Set(["HEAD", "POST"]));
      const back = new MemoryTarget();
      expect(await copy(repository, "v1", back)).toEqual(image.root);
    });

    test.each([
      ["has nothing to mount", undefined],
      ["refuses to mount", 403],
      ["does not know mounts", 400],
    ])("sends the blob to a registry that %s", async (_name, status) => {
      const { server, repository } = await proxied((method, count) =>
        method === "POST" && count === 1 ? status : undefined,
      );
      const origin = { host: server.host, name: "nowhere" };
      await repository.push(blob, { ...bytesSource(content), origin });
      expect(server.seen.find(({ method }) => method === "POST")?.path).toContain("from=nowhere");
      expect(Buffer.compare(await drain(repository.fetch(blob)), content)).toBe(0);
    });

    test("asks no other registry to mount", async () => {
      const { server, repository } = await proxied(() => undefined);
      const origin = { host: "registry.example", name: "nowhere" };
      await repository.push(blob, { ...bytesSource(content), origin });
      expect(server.seen.some(({ path }) => path.includes("mount="))).toBe(false);
    });
  });

  test.each([
    [
      "a PUT that breaks off",
      10_000_000,
      (method: string, count: number) => (method === "PUT" && count === 1 ? "before" : undefined),
    ],
    [
      "a PUT whose reply is lost",
      10_000_000,
      (method: string, count: number) => (method === "PUT" && count === 1 ? "after" : undefined),
    ],
    [
      "a PUT that gets 503",
      10_000_000,
      (method: string, count: number) => (method === "PUT" && count === 1 ? 503 : undefined),
    ],
    [
      "a POST that gets 500",
      10_000_000,
      (method: string, count: number) => (method === "POST" && count === 1 ? 500 : undefined),
    ],
    [
      "a PATCH that breaks off",
      100_000,
      (method: string, count: number) => (method === "PATCH" && count === 2 ? "before" : undefined),
    ],
    [
      "a PATCH whose reply is lost",
      100_000,
      (method: string, count: number) => (method === "PATCH" && count === 2 ? "after" : undefined),
    ],
    [
      "a PATCH that gets 502",
      100_000,
      (method: string, count: number) => (method === "PATCH" && count === 3 ? 502 : undefined),
    ],
  ] as const)("heals after %s", async (_name, chunkBytes, breaks) => {
    const { repository } = await proxied(breaks);
    await repository.push(blob, bytesSource(content), { chunkBytes });
    expect(Buffer.compare(await drain(repository.fetch(blob)), content)).toBe(0);
  });

  test("starts over when the registry forgot the upload", async () => {
    const { repository, server } = await proxied((method, count) => {
      if (method === "PATCH" && count === 2) return 500;
      return method === "GET" && count === 1 ? 404 : undefined;
    });
    await repository.push(blob, bytesSource(content), { chunkBytes: 100_000 });
    expect(server.seen.filter(({ method }) => method === "POST")).toHaveLength(2);
  });

  test("is tried six times in all when neither chunks nor their status get through", async () => {
    const { repository, server } = await proxied((method) => (method === "POST" ? undefined : 503));
    const push = repository.push(blob, bytesSource(content), { chunkBytes: 100_000 });
    await expectCode(push, "ORAS_HTTP_STATUS");
    expect(server.seen.map(({ method }) => method).join(" ")).toBe(
      "POST PATCH GET GET GET GET GET",
    );
  });

  test.each([
    ["ORAS_HTTP_STATUS", 500],
    ["ORAS_AUTH_DENIED", 403],
    ["ORAS_HTTP_STATUS", 400],
    ["ORAS_HTTP_STATUS", 416],
  ] as const)("fails with %s when each upload gets %i", async (code, status) => {
    for (const chunkBytes of [100_000, 10_000_000]) {
      const { repository } = await proxied((method) =>
        method === "PATCH" || method === "PUT" ? status : undefined,
      );
      await expectCode(repository.push(blob, bytesSource(content), { chunkBytes }), code);
    }
  });

  test.each(["file:///x", "http://[", undefined])(
    "refuses the upload location %s",
    async (location) => {
      const server = await scriptedServer((_request, response) => {
        response.writeHead(202, location === undefined ? {} : { location });
        response.end();
      });
      const repository = new RemoteRepository(testClient(), server.host, "app");
      await expectCode(repository.push(blob, bytesSource(content)), "ORAS_BAD_RESPONSE");
    },
  );

  test("sends no credentials to an upload location elsewhere", async () => {
    const elsewhere = await scriptedServer(async (request, response) => {
      for await (const _chunk of request);
      response.writeHead(201);
      response.end();
    });
    const server = await scriptedServer((request, response) => {
      const isKnown = request.headers.authorization !== undefined;
      response.writeHead(isKnown ? 202 : 401, {
        "www-authenticate": 'Basic realm="x"',
        location: `${elsewhere.origin}/upload?token=t`,
      });
      response.end();
    });
    const client = testClient({
      credentials: async () => ({ type: "password", username: "ann", password: "s3cret" }),
    });
    await new RemoteRepository(client, server.host, "app").push(blob, bytesSource(content));
    expect(elsewhere.seen[0]?.headers).not.toHaveProperty("authorization");
    expect(elsewhere.seen[0]?.path).toBe(
      `/upload?token=t&digest=${blob.digest.replace(":", "%3A")}`,
    );
  });

  test("respects the smallest chunk that the registry takes, and asks for other digests", async () => {
    const server = await scriptedServer(async (request, response) => {
      let size = 0;
      for await (const chunk of request) size += chunk.length;
      response.writeHead(request.method === "PUT" ? 201 : 202, {
        location: "/upload",
        "oci-chunk-min-length": "250000",
        ...(size === 0 ? {} : { range: request.headers["content-range"] as string }),
      });
      response.end();
    });
    const sha512 = { ...blob, digest: digestOf(content, "sha512") };
    const repository = new RemoteRepository(testClient(), server.host, "app");
    await repository.push(sha512, bytesSource(content), { chunkBytes: 100_000 });
    expect(server.seen[0]?.path).toContain("digest-algorithm=sha512");
    const [, first] = server.seen;
    expect(first?.headers["content-range"]).toBe("0-249999");
  });
});

describe("deleting", () => {
  test("removes tags, manifests and blobs", async () => {
    const { host } = await registry();
    const repository = new RemoteRepository(testClient(), host, "app");
    const image = await sampleImage();
    await copy(image.target, "v1", repository);
    await repository.delete("v1");
    await expectCode(repository.resolve("v1"), "OCI_NOT_FOUND");
    await repository.delete(image.root);
    await repository.delete(image.config);
    expect(await repository.exists(image.config)).toBe(false);
    await expectCode(repository.delete(image.config), "OCI_NOT_FOUND");
  });

  test("is ORAS_UNSUPPORTED where a registry does not", async () => {
    const server = await scriptedServer((_request, response) => {
      response.writeHead(405);
      response.end();
    });
    const repository = new RemoteRepository(testClient(), server.host, "app");
    await expectCode(repository.delete("v1"), "ORAS_UNSUPPORTED");
  });
});

describe("listing tags", () => {
  async function listing(pages: readonly { body: unknown; link?: string }[]) {
    const server = await scriptedServer((_request, response, count) => {
      const page = pages[Math.min(count, pages.length) - 1];
      response.writeHead(200, page?.link === undefined ? {} : { link: page.link });
      response.end(JSON.stringify(page?.body));
    });
    return new RemoteRepository(testClient(), server.host, "app").tags();
  }

  test("follows the links of pages", async () => {
    const tags = await listing([
      { body: { tags: ["a"] }, link: '</v2/app/tags/list?last=a>; rel="next"' },
      { body: { tags: ["b"] }, link: "</v2/app/tags/list?last=b>;rel=next" },
      { body: { tags: null }, link: '</x>; rel="prev"' },
    ]);
    expect(await collect(tags)).toEqual(["a", "b"]);
  });

  test.each([
    [{ tags: [] }, "</v2/app/tags/list?n=1000>; rel=next"],
    [{ tags: [] }, "<http://elsewhere.invalid/v2/app/tags/list>; rel=next"],
    [{ tags: [] }, "<http://[>; rel=next"],
    [{ tags: [1] }, undefined],
    [[], undefined],
  ])("refuses pages that loop, lead elsewhere or are malformed: %j %s", async (body, link) => {
    const tags = await listing([{ body, ...(link === undefined ? {} : { link }) }]);
    await expectCode(collect(tags), "ORAS_BAD_RESPONSE");
  });
});

describe("artifacts", () => {
  test("are packed, attached, discovered and copied with what is attached to them", async () => {
    const { host } = await registry();
    const image = await sampleImage();
    const repository = new RemoteRepository(testClient(), host, "app");
    await copy(image.target, "v1", repository);
    const layer = await add(repository, "application/spdx+json", encodeJson({ spdx: 1 }));
    const sbom = await attach(repository, image.root, {
      artifactType: "application/spdx+json",
      layers: [layer],
      annotations: { made: "today" },
    });
    const signature = await attach(repository, sbom, { artifactType: "application/signature" });
    expect(await discover(repository, image.root)).toEqual([
      { descriptor: sbom, referrers: [{ descriptor: signature, referrers: [] }] },
    ]);
    const listed = (artifactType: string) =>
      collect(repository.referrers(image.root, { artifactType }));
    expect(await listed("application/spdx+json")).toEqual([sbom]);
    expect(await listed("application/other")).toEqual([]);
    const copyOf = new MemoryTarget();
    await extendedCopy(repository, "v1", copyOf);
    expect(await discover(copyOf, image.root)).toHaveLength(1);
    expect(await discover(copyOf, image.root, { maxDepth: 0 })).toEqual([]);
    expect(await discover(copyOf, image.root, { maxDepth: 1 })).toMatchObject([{ referrers: [] }]);
    expect(await copyOf.exists(signature)).toBe(true);
  });

  test("of the same parts have the same bytes", async () => {
    const target = new MemoryTarget();
    const one = await pack(target, { artifactType: "application/x" });
    const two = await pack(new MemoryTarget(), { artifactType: "application/x" });
    expect(one).toEqual(two);
    const config = await add(target, "application/c", encodeJson({}));
    const layers = [await add(target, "application/l", encodeJson([]))];
    const three = await pack(target, { artifactType: "application/x", config, layers });
    expect(JSON.parse(new TextDecoder().decode(await drain(target.fetch(three))))).toMatchObject({
      artifactType: "application/x",
      config: { mediaType: "application/c" },
      layers: [{ mediaType: "application/l" }],
    });
  });
});
