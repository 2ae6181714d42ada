import type { IncomingMessage, ServerResponse } from "node:http";
import {
  copy,
  discover,
  type HostOptions,
  MemoryTarget,
  type MirroredRepository,
  type MirrorOptions,
  OciLayout,
  openRepository,
  type RegistryClientOptions,
  RemoteRepository,
} from "@box/oras";
import { type ServedRegistry, serveRegistry } from "@box/oras/registry-server";
import { drain, scriptedServer } from "@box/test-support";
import { describe, expect, onTestFinished, test } from "vitest";
import { expectCode } from "../expect-code.ts";
import { pushSample } from "../registry-server/seed.ts";
import { sampleImage } from "../sample-image.ts";
import { temporaryFolder } from "../temporary-folder.ts";
import { testClient } from "../test-client.ts";

const image = await sampleImage([10_240, 300_000]);
/** The registry that users name; nobody answers there. */
const upstream = "127.0.0.1:9";

async function registryWith(repository: string): Promise<ServedRegistry> {
  const served = await serveRegistry();
  onTestFinished(() => served.close());
  await pushSample(served.origin, repository, "v1", image);
  return served;
}

function open(
  mirrors: readonly MirrorOptions[],
  name = "team/app",
  host: HostOptions = {},
  options: RegistryClientOptions = {},
): RemoteRepository | MirroredRepository {
  const hosts = { [upstream]: { mirrors, ...host } };
  return openRepository(testClient({ hosts, ...options }), upstream, name);
}

describe("a mirror", () => {
  test("is asked in place of the host, under the path that it has for it", async () => {
    const mirror = await registryWith("hub/docker/team/app");
    const target = new MemoryTarget();
    const location = `${mirror.host}/hub/docker`;
    expect(await copy(open([{ location }]), "v1", target)).toEqual(image.root);
  });

  test("for a part of a registry leaves that part out of its own path", async () => {
    const mirror = await registryWith("app");
    const rule = { location: mirror.host, prefix: "team" };
    expect(await open([rule]).resolve("v1")).toEqual(image.root);
    expect(open([rule], "other/app")).toBeInstanceOf(RemoteRepository);
    expect(open([rule], "teamwork/app")).toBeInstanceOf(RemoteRepository);
    expect(await open([{ ...rule, prefix: "team/app" }]).resolve("v1")).toEqual(image.root);
  });

  test("that is a proxy is told which registry is meant; another one is not", async () => {
    const seen: (string | null)[] = [];
    const server = await scriptedServer(({ url = "" }, response) => {
      seen.push(new URL(url, "http://x").searchParams.get("ns"));
      response.end(image.manifestBytes);
    });
    for (const isProxy of [true, false]) {
      await open([{ location: server.host, isProxy }]).resolve("v1");
      await (open([{ location: server.host, isProxy }]) as MirroredRepository).fetchReference("v1");
    }
    expect(new Set(seen.slice(0, 3))).toEqual(new Set([upstream]));
    expect(new Set(seen.slice(3))).toEqual(new Set([null]));
  });

  test("gets its own credentials and never the host's", async () => {
    const asked: string[] = [];
    const server = await scriptedServer((request, response) => {
      if (request.headers.authorization === undefined) {
        response.writeHead(401, { "www-authenticate": 'Basic realm="x"' }).end();
      } else response.end(image.manifestBytes);
    });
    const credentials = async (host: string) => {
      asked.push(host);
      return { type: "password" as const, username: "ann", password: host };
    };
    await open([{ location: server.host }], "team/app", {}, { credentials }).resolve("v1");
    expect(new Set(asked)).toEqual(new Set([server.host]));
    const sent = server.seen.at(-1)?.headers["authorization"] as string;
    expect(Buffer.from(sent.slice(6), "base64").toString()).toBe(`ann:${server.host}`);
  });

  test("must be written as a host and a path", async () => {
    for (const location of ["", "https://mirror.example", "/path", "a b"]) {
      await expectCode(() => open([{ location }]), "OCI_INVALID_REFERENCE");
    }
  });
});

describe("the next registry is asked when a mirror", () => {
  const failing: Record<string, (request: IncomingMessage, response: ServerResponse) => unknown> = {
    "fails for ever": (_request, response) => response.writeHead(500).end(),
    "does not have it": (_request, response) => response.writeHead(404).end(),
    "forbids it": (_request, response) => response.writeHead(403).end(),
    "wants to know who asks": (_request, response) => response.writeHead(401).end(),
    "breaks off": ({ socket }) => socket.destroy(),
    "serves another manifest": (_request, response) => response.end('{"schemaVersion":2}'),
    "serves a web page": (_request, response) =>
      response.writeHead(200, { "content-type": "text/html" }).end("<html>"),
  };
  test.each(Object.entries(failing))("%s", async (_name, reply) => {
    const bad = await scriptedServer(reply);
    const good = await registryWith("team/app");
    const mirrors = [{ location: bad.host }, { location: good.host }];
    const target = new MemoryTarget();
    const repository = open(mirrors);
    expect(await copy(repository, image.root.digest, target, "v1")).toEqual(image.root);
    for (const layer of image.layers) {
      expect(await open(mirrors).exists(layer)).toBe(true);
      const read = await drain(target.fetch(layer));
      expect(read.byteLength).toBe(layer.size);
    }
    expect(bad.seen.length).toBeGreaterThan(0);
  });

  test("stops in the middle of a layer: it goes on from the same byte", async () => {
    const good = await registryWith("team/app");
    const layer = image.layers[1];
    if (layer === undefined) throw new Error("the sample has two layers");
    const bytes = await drain(open([{ location: good.host }]).fetch(layer));
    const bad = await scriptedServer((_request, response) => {
      response.writeHead(200, { "content-length": layer.size });
      response.write(bytes.subarray(0, 100), () => response.destroy());
    });
    const mirrors = [{ location: bad.host }, { location: good.host }];
    expect(Buffer.compare(await drain(open(mirrors).fetch(layer)), bytes)).toBe(0);
    expect(bad.seen.length).toBeLessThanOrEqual(3);
  });

  test("serves wrong bytes of the right length: none of them stays in the store", async () => {
    const good = await registryWith("team/app");
    const layer = image.layers[1];
    if (layer === undefined) throw new Error("the sample has two layers");
    const bad = await scriptedServer((_request, response) =>
      response.end(Buffer.alloc(layer.size)),
    );
    const layout = await OciLayout.ensure(await temporaryFolder());
    const repository = open([{ location: bad.host }, { location: good.host }]);
    const source = {
      open: (offset: number) => repository.fetch(layer, { offset, verify: false }),
    };
    await layout.push(layer, source);
    expect(bad.seen).toHaveLength(1);
    await drain(layout.fetch(layer));
    const lost = open([{ location: bad.host }], "team/app", { mirrorMode: "replace" });
    const other = await OciLayout.ensure(await temporaryFolder());
    await expectCode(
      other.push(layer, { open: (offset) => lost.fetch(layer, { offset, verify: false }) }),
      "OCI_DIGEST_MISMATCH",
    );
    expect(await other.exists(layer)).toBe(false);
  });
});

describe("the host itself", () => {
  test("is asked last, and not at all where its mirrors replace it", async () => {
    const origin = await registryWith("team/app");
    const bad = await scriptedServer((_request, response) => response.writeHead(404).end());
    const mirrors = [{ location: bad.host }];
    for (const mode of ["fallback", "replace"] as const) {
      const hosts = { [origin.host]: { mirrors, mirrorMode: mode } };
      const repository = openRepository(testClient({ hosts }), origin.host, "team/app");
      const work = repository.resolve("v1");
      if (mode === "replace") await expectCode(work, "OCI_NOT_FOUND");
      else expect(await work).toEqual(image.root);
      expect(repository.host).toBe(mode === "replace" ? bad.host : origin.host);
    }
  });

  test("is not asked when the caller stops", async () => {
    const controller = new AbortController();
    const origin = await scriptedServer((_request, response) => response.writeHead(404).end());
    const mirror = await scriptedServer(() => controller.abort());
    const hosts = { [origin.host]: { mirrors: [{ location: mirror.host }] } };
    const repository = openRepository(testClient({ hosts }), origin.host, "app");
    const { signal } = controller;
    await expectCode(repository.resolve("v1", { signal }), "ORAS_ABORTED");
    expect(origin.seen).toEqual([]);
  });
});

describe("what is attached to content", () => {
  const pageOf = (count: number, first = 0): string => {
    const manifests = Array.from({ length: count }, (_, index) => ({
      mediaType: "application/vnd.oci.image.manifest.v1+json",
      digest: `sha256:${String(first + index).padStart(64, "0")}`,
      size: 2,
    }));
    return JSON.stringify({ schemaVersion: 2, mediaType: indexType, manifests });
  };
  const indexType = "application/vnd.oci.image.index.v1+json";

  test("is passed on as a mirror lists it, so that a list without end is given up", async () => {
    let pages = 0;
    const endless = await scriptedServer(({ url = "" }, response) => {
      pages++;
      const next = `<${url.split("?")[0]}?p=${pages}>; rel="next"`;
      const headers = { "content-type": indexType, ...(pages < 30 ? { link: next } : {}) };
      response.writeHead(200, headers).end(pageOf(6_000));
    });
    const repository = open([{ location: endless.host }]);
    let listed = 0;
    for await (const _entry of repository.predecessors(image.root)) if (++listed > 10_000) break;
    expect(pages).toBe(2);
    await expectCode(discover(repository, image.root), "OCI_TOO_LARGE");
  });

  test("is listed on by the next registry where one fails, each entry once", async () => {
    const bad = await scriptedServer(({ url = "" }, response) => {
      if (url.includes("?p=1")) return response.writeHead(403).end();
      const link = `<${url.split("?")[0]}?p=1>; rel="next"`;
      return response.writeHead(200, { "content-type": indexType, link }).end(pageOf(3));
    });
    const good = await scriptedServer((_request, response) =>
      response.writeHead(200, { "content-type": indexType }).end(pageOf(5)),
    );
    const repository = open([{ location: bad.host }, { location: good.host }]);
    const ends: string[] = [];
    for await (const { digest } of repository.predecessors(image.root)) ends.push(digest.slice(-1));
    expect(ends).toEqual(["0", "1", "2", "3", "4"]);
  });
});
