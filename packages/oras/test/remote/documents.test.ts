import { gzipSync } from "node:zlib";
import { bytesSource, describe, RemoteRepository } from "@box/oras";
import { scriptedServer } from "@box/test-support";
import { expect, test } from "vitest";
import { collect } from "../collect.ts";
import { expectCode } from "../expect-code.ts";
import { sampleImage } from "../sample-image.ts";
import { testClient } from "../test-client.ts";

const { manifestBytes, root } = await sampleImage();
const encoded = { "content-encoding": "gzip" };

test("manifests, lists, tokens and errors with a content coding are read without it", async () => {
  const server = await scriptedServer(({ url = "", headers }, response) => {
    const reply = (status: number, body: unknown, more = {}) =>
      response.writeHead(status, { ...encoded, ...more }).end(gzipSync(body as Uint8Array));
    if (url.startsWith("/token")) return reply(200, Buffer.from('{"token":"t"}'));
    if (headers.authorization !== "Bearer t") {
      const realm = `Bearer realm="http://${headers.host}/token"`;
      return reply(401, Buffer.from("{}"), { "www-authenticate": realm });
    }
    if (url.includes("/tags/")) return reply(200, Buffer.from('{"tags":["v1"]}'));
    if (url.endsWith("/none")) return reply(403, Buffer.from('{"errors":[{"code":"DENIED"}]}'));
    return reply(200, manifestBytes);
  });
  const repository = new RemoteRepository(testClient(), server.host, "app");
  for (const reference of ["v1", root.digest]) {
    expect((await repository.fetchReference(reference)).descriptor).toEqual(root);
  }
  expect(await collect(repository.tags())).toEqual(["v1"]);
  const error = await expectCode(repository.fetchReference("none"), "ORAS_AUTH_DENIED");
  expect(error.details["reported"]).toBe("DENIED");
});

test("of the manifests that were pushed only the last one is kept for its tag", async () => {
  const stored = new Map<string, Buffer>();
  const server = await scriptedServer(async (request, response) => {
    const parts: Buffer[] = [];
    for await (const part of request) parts.push(part as Buffer);
    const name = request.url?.split("/").at(-1) ?? "";
    if (request.method === "GET") return response.end(stored.get(name));
    stored.set(name, Buffer.concat(parts));
    return response.writeHead(201).end();
  });
  const repository = new RemoteRepository(testClient(), server.host, "app");
  const pushed = [];
  for (const count of [1, 2]) {
    const document = {
      ...JSON.parse(Buffer.from(manifestBytes).toString()),
      annotations: { count: `${count}` },
    };
    const bytes = Buffer.from(JSON.stringify(document));
    const descriptor = describe(root.mediaType, bytes);
    await repository.push(descriptor, bytesSource(bytes));
    pushed.push(descriptor);
  }
  for (const [at, descriptor] of pushed.entries()) await repository.tag(descriptor, `v${at}`);
  const fetched = server.seen.filter(({ method }) => method === "GET").map(({ path }) => path);
  expect(fetched).toEqual([`/v2/app/manifests/${pushed[0]?.digest}`]);
});

test("a manifest that grows without end when it is decoded stops at the limit", async () => {
  const bomb = gzipSync(Buffer.alloc(16 * 1024 * 1024, " "));
  const server = await scriptedServer((_request, response) =>
    response.writeHead(200, encoded).end(bomb),
  );
  const repository = new RemoteRepository(testClient(), server.host, "app");
  await expectCode(repository.fetchReference("v1"), "OCI_TOO_LARGE");
  expect(server.seen).toHaveLength(1);
});
