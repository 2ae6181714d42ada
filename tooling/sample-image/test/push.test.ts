import { createServer, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { buildSampleImage, pushSampleImage } from "@box/sample-image";
import { afterEach, describe, expect, test } from "vitest";
import { digestOf } from "./read-image.ts";

const image = buildSampleImage();
const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) server.close();
});

/** A registry that takes everything it is sent, unless `refuse` says what is wrong with it. */
interface TestRegistry {
  readonly origin: string;
  readonly stored: Map<string, Uint8Array>;
  readonly refuse: { method?: string; withoutLocation?: boolean };
}

describe("pushSampleImage", () => {
  test("uploads every blob before the manifest that refers to it, the index under its tag", async () => {
    const { origin, stored } = await startRegistry();
    expect(await pushSampleImage(origin, "sample/hello", "latest")).toEqual(image);

    const manifests = image.manifests.map(({ digest }) => digest);
    const manifestPaths = [...manifests, "latest"].map(
      (name) => `/v2/sample/hello/manifests/${name}`,
    );
    const blobs = [...image.blobs.keys()].filter(
      (digest) => digest !== image.index.digest && !manifests.includes(digest),
    );
    expect([...stored.keys()]).toEqual([...blobs, ...manifestPaths]);
    for (const digest of blobs)
      expect(digestOf(stored.get(digest) ?? new Uint8Array())).toBe(digest);
    expect(stored.get("/v2/sample/hello/manifests/latest")).toEqual(
      Buffer.from(image.blobs.get(image.index.digest) ?? []),
    );
  });

  test.each(["POST", "PUT"])(
    "fails with the registry's answer when a %s is refused",
    async (method) => {
      const { origin, refuse } = await startRegistry();
      refuse.method = method;
      await expect(pushSampleImage(origin, "sample/hello", "latest")).rejects.toThrow(
        /^(POST|PUT) http.*: 403 not today$/,
      );
    },
  );

  test("fails when the registry does not say where to upload", async () => {
    const { origin, refuse } = await startRegistry();
    refuse.withoutLocation = true;
    await expect(pushSampleImage(origin, "sample/hello", "latest")).rejects.toThrow(
      "started an upload without a location",
    );
  });
});

async function startRegistry(): Promise<TestRegistry> {
  const stored = new Map<string, Uint8Array>();
  const refuse: TestRegistry["refuse"] = {};
  const server = createServer(async (request, response) => {
    const body = await bodyOf(request);
    const url = new URL(request.url ?? "", "http://localhost");
    if (request.method === refuse.method) return response.writeHead(403).end("not today");
    if (request.method === "POST") {
      const location = `${url.pathname}7?state=kept`;
      return response.writeHead(202, refuse.withoutLocation ? {} : { location }).end();
    }
    stored.set(url.searchParams.get("digest") ?? url.pathname, body);
    return response.writeHead(201).end();
  });
  servers.push(server);
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
  const { port } = server.address() as AddressInfo;
  return { origin: `http://127.0.0.1:${port}`, stored, refuse };
}

async function bodyOf(request: IncomingMessage): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of request) chunks.push(chunk as Uint8Array);
  return Buffer.concat(chunks);
}
