import { bytesSource, describe, RemoteRepository } from "@box/oras";
import { scriptedServer } from "@box/test-support";
import { expect, test } from "vitest";
import { expectCode } from "../expect-code.ts";
import { noise } from "../sample-image.ts";
import { fakePacing, testClient } from "../test-client.ts";

test("a chunked upload whose end always fails is given up, although each chunk is taken", async () => {
  const content = noise(300_000);
  let ends = 0;
  const server = await scriptedServer(async (request, response) => {
    for await (const _chunk of request);
    const { method, url: location = "", headers } = request;
    if (method === "POST") return response.writeHead(202, { location: "/v2/app/uploads/1" }).end();
    if (method === "PATCH") {
      const range = `0-${String(headers["content-range"]).split("-")[1]}`;
      return response.writeHead(202, { location, range }).end();
    }
    // Enough to tell for ever from six times.
    return response.writeHead(++ends > 20 ? 400 : 503).end();
  });
  const pacing = fakePacing(1);
  const repository = new RemoteRepository(testClient({ pacing }), server.host, "app");
  const blob = describe("application/octet-stream", content);
  const push = repository.push(blob, bytesSource(content), { chunkBytes: 100_000 });
  await expectCode(push, "ORAS_HTTP_STATUS");
  expect(ends).toBe(6);
  expect(pacing.waitsMs).toEqual([250, 500, 1000, 2000, 4000]);
});
