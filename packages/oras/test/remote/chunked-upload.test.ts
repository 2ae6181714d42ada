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

/** Pushes 3 MB in parts to a registry that answers each part and each question as told; counts the parts. */
async function pushTo(
  onPatch: (count: number) => { status: number; range?: string },
  onStatus: (count: number) => string,
): Promise<{ patches: number; waitsMs: readonly number[] }> {
  const content = new Uint8Array(3_000_000);
  let patches = 0;
  let asked = 0;
  const server = await scriptedServer(async (request, response) => {
    for await (const _chunk of request);
    const location = "/v2/app/uploads/1";
    // What would go on for ever ends here, as something else.
    if (patches > 40) return response.writeHead(404).end();
    if (request.method === "POST") return response.writeHead(202, { location }).end();
    if (request.method === "GET") {
      return response.writeHead(204, { location, range: onStatus(++asked) }).end();
    }
    const { status, ...headers } = onPatch(++patches);
    return response.writeHead(status, { location, ...headers }).end();
  });
  const pacing = fakePacing(1);
  const repository = new RemoteRepository(testClient({ pacing }), server.host, "app");
  const blob = describe("application/octet-stream", content);
  const push = repository.push(blob, bytesSource(content), { chunkBytes: 1_000_000 });
  const error = await push.then(
    () => undefined,
    (reason: { code: string }) => reason,
  );
  expect(error?.code).toMatch(/^ORAS_(HTTP_STATUS|BAD_RESPONSE)$/);
  return { patches, waitsMs: pacing.waitsMs };
}

test("a registry that refuses every part and is elsewhere each time it is asked is given up", async () => {
  const ranges = ["0-999999", "0-1999999"];
  const { patches, waitsMs } = await pushTo(
    () => ({ status: 416 }),
    (count) => ranges[count % 2] ?? "",
  );
  expect(patches).toBe(6);
  expect(waitsMs).toEqual([250, 500, 1000, 2000, 4000]);
});

test("a registry that takes a byte of each part is given up", async () => {
  let taken = 0;
  const range = (): string => `0-${taken}`;
  const { patches } = await pushTo(() => {
    taken++;
    return { status: 202, range: range() };
  }, range);
  expect(patches).toBe(6);
});

test("a registry that takes whole parts, each a byte further than the one before, is given up", async () => {
  // Every second part is refused, and the next one begins a byte later.
  const { patches } = await pushTo(
    (count) =>
      count % 2 === 1 ? { status: 503 } : { status: 202, range: `0-${999_999 + count / 2 + 1}` },
    (count) => `0-${count}`,
  );
  expect(patches).toBeLessThan(20);
});
