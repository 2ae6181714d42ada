import { readFile, writeFile } from "node:fs/promises";
import { IoError } from "@box/io";
import {
  type BlobSource,
  copy,
  describe as describeContent,
  OciLayout,
  RemoteRepository,
} from "@box/oras";
import { serveRegistry } from "@box/oras/registry-server";
import { drain, scriptedServer } from "@box/test-support";
import { describe, expect, onTestFinished, test } from "vitest";
import { expectCode } from "../expect-code.ts";
import { noise, sampleImage } from "../sample-image.ts";
import { temporaryFolder } from "../temporary-folder.ts";
import { testClient } from "../test-client.ts";

const content = noise(300_000);
const blob = describeContent("application/octet-stream", content);
const chunked = 100_000;
const monolithic = 10_000_000;

/** Reads of it give other bytes as often as told. */
function wrongSource(damage: (bytes: Uint8Array) => Uint8Array, times: number): BlobSource {
  let reads = 0;
  return {
    place: "a heap of tapes",
    open: async (offset) => {
      if (offset === 0) reads++;
      const bytes = reads <= times ? damage(content.slice()) : content;
      return (async function* () {
        for (let at = offset; at < bytes.byteLength; at += 70_000)
          yield bytes.subarray(at, at + 70_000);
      })();
    },
  };
}

const changedAt = (index: number) => (bytes: Uint8Array) => {
  bytes[index] = (bytes[index] ?? 0) ^ 1;
  return bytes;
};

async function repository() {
  const registry = await serveRegistry();
  onTestFinished(() => registry.close());
  return new RemoteRepository(testClient(), registry.host, "app");
}

describe.each([chunked, monolithic])("a push in parts of %i", (chunkBytes) => {
  test.each([0, 100, 150_000, 299_999])(
    "reads once more where byte %i was wrong",
    async (index) => {
      const target = await repository();
      await target.push(blob, wrongSource(changedAt(index), 1), { chunkBytes });
      expect(Buffer.compare(await drain(target.fetch(blob)), content)).toBe(0);
    },
  );

  test.each([0, 299_999])("blames the source where byte %i is always wrong", async (index) => {
    const target = await repository();
    const push = target.push(blob, wrongSource(changedAt(index), 99), { chunkBytes });
    const error = await expectCode(push, "OCI_DIGEST_MISMATCH");
    expect(error.message).toContain(`content of ${blob.digest} in a heap of tapes has the digest`);
    expect(await target.exists(blob)).toBe(false);
  });

  test.each([
    ["too short", (bytes: Uint8Array) => bytes.subarray(0, 299_999)],
    ["too long", (bytes: Uint8Array) => new Uint8Array([...bytes, 1])],
    ["longer by a chunk", (bytes: Uint8Array) => new Uint8Array([...bytes, ...bytes])],
    ["empty", () => new Uint8Array()],
  ])("blames a source that is %s", async (_name, damage) => {
    const target = await repository();
    await target.push(blob, wrongSource(damage, 1), { chunkBytes });
    expect(await target.exists(blob)).toBe(true);
    const other = await repository();
    const push = other.push(blob, wrongSource(damage, 99), { chunkBytes });
    const error = await expectCode(push, "OCI_SIZE_MISMATCH");
    expect(error.message).toContain("in a heap of tapes");
    expect(await other.exists(blob)).toBe(false);
  });

  test("says what its source fails with", async () => {
    const source = {
      open: async () => {
        throw new IoError({ code: "IO_FAILED", message: "cannot read the tape" });
      },
    };
    await expectCode((await repository()).push(blob, source, { chunkBytes }), "IO_FAILED");
  });

  test("sends no wrong content whole", async () => {
    const bodies: number[] = [];
    const server = await scriptedServer(async (request, response) => {
      const location = "/v2/app/uploads/1";
      if (request.method === "POST") return response.writeHead(202, { location }).end();
      let bytes = 0;
      try {
        for await (const chunk of request) bytes += (chunk as Buffer).byteLength;
      } catch {
        response.destroy();
      }
      bodies.push(bytes);
      if (response.destroyed) return response;
      const range = `0-${String(request.headers["content-range"]).split("-")[1]}`;
      return response.writeHead(202, { location, range }).end();
    });
    const target = new RemoteRepository(testClient(), server.host, "app");
    const push = target.push(blob, wrongSource(changedAt(299_999), 99), { chunkBytes });
    await expectCode(push, "OCI_DIGEST_MISMATCH");
    const perTry = Math.ceil(content.byteLength / chunkBytes);
    await expect.poll(() => bodies.length).toBe(2 * perTry);
    expect(bodies.reduce((sum, one) => sum + one)).toBeLessThan(2 * content.byteLength);
  });
});

test("a layout whose file has changed is blamed by name", async () => {
  const image = await sampleImage();
  const layout = await OciLayout.ensure(await temporaryFolder());
  await copy(image.target, "v1", layout);
  const [layer] = image.layers;
  const path = layout.blobPath((layer as typeof image.root).digest);
  await writeFile(path, changedAt(30)(await readFile(path)));
  const error = await expectCode(copy(layout, "v1", await repository()), "OCI_DIGEST_MISMATCH");
  expect(error.message).toContain(`in image layout ${layout.directory} has`);
});

test.each([
  [1, undefined],
  [99, "ORAS_HTTP_STATUS"],
] as const)("bytes that arrive wrong %i times are sent twice", async (times, code) => {
  let ends = 0;
  const server = await scriptedServer(async (request, response) => {
    for await (const _chunk of request);
    const location = "/v2/app/uploads/1";
    if (request.method === "POST") return response.writeHead(202, { location }).end();
    if (++ends > times) return response.writeHead(201).end();
    response.writeHead(400, { "content-type": "application/json" });
    return response.end(JSON.stringify({ errors: [{ code: "DIGEST_INVALID", message: "no" }] }));
  });
  const target = new RemoteRepository(testClient(), server.host, "app");
  const push = target.push(
    blob,
    wrongSource((bytes) => bytes, 0),
  );
  await (code === undefined ? push : expectCode(push, code));
  expect(ends).toBe(2);
});

test("an abort ends the reading of what was sent before", async () => {
  const size = 1_000_000;
  const stop = new AbortController();
  let held = 0;
  let isCut = false;
  const server = await scriptedServer((request, response) => {
    const location = "/v2/app/blobs/uploads/x";
    const headers = { location, range: `0-${Math.max(held - 1, 0)}` };
    if (request.method === "HEAD") response.writeHead(404).end();
    else if (request.method === "POST") response.writeHead(202, { location }).end();
    else if (request.method === "GET") response.writeHead(204, headers).end();
    else {
      request.on("error", () => {});
      request.on("data", (chunk: Buffer) => {
        held += chunk.byteLength;
        if (isCut || held < size - 100_000) return;
        // It has lost some of what it had.
        isCut = true;
        held = 450_000;
        request.socket.destroy();
      });
      request.on("end", () => response.writeHead(202, { location, range: `0-${held - 1}` }).end());
    }
  });
  const bytes = noise(size);
  let readAfter = 0;
  const source: BlobSource = {
    open: async (offset) =>
      (async function* () {
        const isAgain = isCut;
        for (let at = offset; at < size; at += 10_000) {
          if (isAgain) {
            if (stop.signal.aborted) readAfter++;
            stop.abort();
          }
          yield bytes.subarray(at, at + 10_000);
        }
      })(),
  };
  const repository = new RemoteRepository(testClient(), server.host, "app");
  const descriptor = describeContent("application/octet-stream", bytes);
  const push = repository.push(descriptor, source, { chunkBytes: 300_000, signal: stop.signal });
  await expect(push).rejects.toMatchObject({ kind: "aborted" });
  expect(readAfter).toBeLessThanOrEqual(1);
});
