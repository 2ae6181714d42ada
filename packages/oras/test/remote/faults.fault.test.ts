import type { IncomingMessage, ServerResponse } from "node:http";
import { gzipSync } from "node:zlib";
import { describe as describeContent, type OrasErrorCode, RemoteRepository } from "@box/oras";
import { drain, type ScriptedServer, scriptedServer } from "@box/test-support";
import { describe, expect, test } from "vitest";
import { expectCode } from "../expect-code.ts";
import { noise } from "../sample-image.ts";
import { fakePacing, testClient } from "../test-client.ts";

const content = noise(400_000);
const blob = describeContent("application/octet-stream", content);

type Reply = (request: IncomingMessage, response: ServerResponse) => unknown;

/** The start of the range that a request asks for. */
function startOf(request: IncomingMessage): number {
  return Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? "")?.[1] ?? 0);
}

/** A registry that behaves. */
const good: Reply = (request, response) => {
  const start = startOf(request);
  const range = `bytes ${start}-${content.byteLength - 1}/${content.byteLength}`;
  response.writeHead(start > 0 ? 206 : 200, {
    "content-length": content.byteLength - start,
    ...(start > 0 ? { "content-range": range } : {}),
  });
  response.end(content.subarray(start));
};

/** A registry that breaks the connection after so many bytes of each reply. */
function cutAfter(bytes: number): Reply {
  return (request, response) => {
    const start = startOf(request);
    const last = content.byteLength - 1;
    response.writeHead(start > 0 ? 206 : 200, {
      "content-length": content.byteLength - start,
      ...(start > 0 ? { "content-range": `bytes ${start}-${last}/${last + 1}` } : {}),
    });
    response.write(content.subarray(start, start + bytes), () =>
      response.socket?.resetAndDestroy(),
    );
  };
}

function status(code: number, headers: Record<string, string> = {}): Reply {
  return (_request, response) => {
    response.writeHead(code, headers);
    response.end("{}");
  };
}

function whole(body: Uint8Array, code = 200, headers: Record<string, string> = {}): Reply {
  return (_request, response) => {
    response.writeHead(code, headers);
    response.end(body);
  };
}

/** Replies in turn; the last one for ever. */
async function serving(...replies: readonly Reply[]): Promise<ScriptedServer> {
  return scriptedServer((request, response, count) =>
    (replies[count - 1] ?? (replies.at(-1) as Reply))(request, response),
  );
}

async function pull(server: ScriptedServer, pacing = fakePacing()): Promise<Uint8Array> {
  const client = testClient({ pacing, idleTimeoutMs: 300, headersTimeoutMs: 500 });
  return drain(new RemoteRepository(client, server.host, "app").fetch(blob));
}

describe("a blob heals after", () => {
  const flipped = content.slice();
  flipped[0] = (flipped[0] as number) ^ 1;
  const cases: Record<string, readonly Reply[]> = {
    "a reset before the headers": [(_request, { socket }) => socket?.resetAndDestroy(), good],
    "a close before the headers": [(_request, { socket }) => socket?.destroy(), good],
    "a cut after each 100,000 bytes": [cutAfter(100_000)],
    "a cut after each 70,000 bytes": [cutAfter(70_000)],
    "a stall in the body": [
      (_request, response) => {
        response.writeHead(200, { "content-length": content.byteLength });
        response.write(content.subarray(0, 1000));
      },
      good,
    ],
    "a body that ends early without a length": [whole(content.subarray(0, 1000)), good],
    "a wrong length once": [
      whole(content.subarray(0, 1000), 200, { "content-length": "1000" }),
      good,
    ],
    "a body that is too long once": [whole(Buffer.concat([content, content])), good],
    "a 200 for a range": [cutAfter(1000), whole(content)],
    "a 206 with a wrong start": [
      cutAfter(1000),
      whole(content.subarray(5000), 206, { "content-range": "bytes 5000-399999/400000" }),
      whole(content),
    ],
    "a 206 with a wrong total": [
      cutAfter(1000),
      whole(content.subarray(1000), 206, { "content-range": "bytes 1000-399999/500000" }),
      whole(content),
    ],
    "a 206 without a range": [cutAfter(1000), whole(content.subarray(1000), 206), whole(content)],
    "a 206 of several parts": [
      cutAfter(1000),
      whole(content, 206, { "content-type": "multipart/byteranges; boundary=x" }),
      whole(content),
    ],
    "a 206 that covers only a part": [
      cutAfter(1000),
      whole(content.subarray(1000, 2000), 206, { "content-range": "bytes 1000-1999/400000" }),
      good,
    ],
    "a 416 for a range": [cutAfter(1000), status(416), whole(content)],
    "one 500": [status(500), good],
    "one 502, one 503 and one 504": [status(502), status(503), status(504), good],
    "one 408 and one 425": [status(408), status(425), good],
    "a gzip coding that nobody asked for": [
      whole(gzipSync(content), 200, { "content-encoding": "gzip" }),
    ],
    "a damaged gzip coding": [
      whole(gzipSync(content).subarray(0, 1000), 200, { "content-encoding": "gzip" }),
      good,
    ],
    "an unknown coding once": [whole(content, 200, { "content-encoding": "zip" }), good],
  };
  test.each(Object.entries(cases))("%s", async (_name, replies) => {
    const server = await serving(...replies);
    expect(Buffer.compare(await pull(server), content)).toBe(0);
  });

  test("cuts without asking for more than the rest", async () => {
    const server = await serving(cutAfter(100_000), cutAfter(100_000), good);
    await pull(server);
    expect(server.seen.map(({ headers }) => headers["range"])).toEqual([
      undefined,
      "bytes=100000-",
      "bytes=200000-",
    ]);
  });
});

describe("a blob fails with", () => {
  const flipped = content.slice();
  flipped[0] = (flipped[0] as number) ^ 1;
  const cases: readonly [OrasErrorCode, string, readonly Reply[], number][] = [
    ["ORAS_HTTP_STATUS", "a 500 for ever", [status(500)], 6],
    ["ORAS_HTTP_STATUS", "a 400", [status(400)], 1],
    ["ORAS_HTTP_STATUS", "a 206 to a request without a range", [whole(content, 206)], 1],
    ["ORAS_AUTH_REQUIRED", "a 401", [status(401)], 1],
    ["ORAS_AUTH_DENIED", "a 403", [status(403)], 1],
    ["OCI_NOT_FOUND", "a 404", [status(404)], 1],
    ["ORAS_PROXY", "a 407", [status(407)], 1],
    ["ORAS_NETWORK", "no reply ever", [(_request, { socket }) => socket?.destroy()], 6],
    [
      "ORAS_TRUNCATED",
      "an early end for ever",
      [whole(content.subarray(0, 10)), whole(content.subarray(0, 10))],
      6,
    ],
    [
      "OCI_SIZE_MISMATCH",
      "a wrong length twice",
      [whole(content.subarray(0, 9), 200, { "content-length": "9" })],
      2,
    ],
    ["OCI_SIZE_MISMATCH", "extra bytes twice", [whole(new Uint8Array(500_000))], 2],
    ["OCI_DIGEST_MISMATCH", "a flipped bit", [whole(flipped)], 1],
    [
      "ORAS_BAD_RESPONSE",
      "an unknown coding",
      [whole(content, 200, { "content-encoding": "zip" })],
      6,
    ],
    [
      "ORAS_BAD_RESPONSE",
      "what is not HTTP",
      [(_request, { socket }) => socket?.end("hello\r\n\r\n")],
      6,
    ],
  ];
  test.each(cases)("%s after %s", async (code, _name, replies, requests) => {
    const server = await serving(...replies);
    await expectCode(pull(server), code);
    expect(server.seen).toHaveLength(requests);
  });

  test("ORAS_STALLED when headers or body never come", async () => {
    const stuck: Reply = (_request, response) => {
      response.writeHead(200, { "content-length": content.byteLength });
      response.flushHeaders();
    };
    for (const reply of [stuck, () => {}]) {
      const server = await serving(reply);
      const client = testClient({
        idleTimeoutMs: 100,
        headersTimeoutMs: 100,
        retry: { attempts: 2 },
      });
      const repository = new RemoteRepository(client, server.host, "app");
      await expectCode(drain(repository.fetch(blob)), "ORAS_STALLED");
      expect(server.seen).toHaveLength(2);
    }
  });

  test("ORAS_STALLED when it drips for minutes", async () => {
    const pacing = fakePacing();
    const server = await serving((_request, response) => {
      response.writeHead(200, { "content-length": content.byteLength });
      const drip = (): void => {
        pacing.nowMs += 20_000;
        if (!response.destroyed) response.write(content.subarray(0, 10), () => setImmediate(drip));
      };
      drip();
    });
    await expectCode(pull(server, pacing), "ORAS_STALLED");
  });

  test("ORAS_NETWORK when nothing listens, ORAS_TLS when the host speaks plain HTTP", async () => {
    const client = testClient({ retry: { attempts: 2 } });
    const closed = new RemoteRepository(client, "127.0.0.1:9", "app");
    await expectCode(closed.resolve("v1"), "ORAS_NETWORK");
    const server = await serving(good);
    const secure = testClient({ hosts: { [server.host]: { scheme: "https" } } });
    const error = await expectCode(
      new RemoteRepository(secure, server.host, "app").resolve("v1"),
      "ORAS_TLS",
    );
    expect(error.hint).toContain("insecure");
  });
});

describe("a registry that asks for patience", () => {
  test("is given the seconds it wants", async () => {
    const pacing = fakePacing();
    const server = await serving(status(429, { "retry-after": "7" }), good);
    await pull(server, pacing);
    expect(pacing.waitsMs).toEqual([7000]);
  });

  test("is given the time until the date it names", async () => {
    const pacing = fakePacing();
    const date = new Date(pacing.nowMs + 30_000).toUTCString();
    const server = await serving(status(503, { "retry-after": date }), good);
    await pull(server, pacing);
    expect(pacing.waitsMs).toEqual([30_000]);
  });

  test.each(["0", "Thu, 01 Jan 1970 00:00:00 GMT", "soon", "-5"])(
    "gets the ordinary wait for %j",
    async (wish) => {
      const pacing = fakePacing();
      const server = await serving(status(429, { "retry-after": wish }), good);
      await pull(server, pacing);
      expect(pacing.waitsMs).toEqual([125]);
    },
  );

  test.each(["86400", "1000000000000", "9".repeat(99)])(
    "is given up at once when it wants %s seconds",
    async (wish) => {
      const pacing = fakePacing();
      const server = await serving(status(429, { "retry-after": wish }));
      const error = await expectCode(pull(server, pacing), "ORAS_RATE_LIMITED");
      expect(error.details).toMatchObject({ retryAfter: wish, status: 429 });
      expect(server.seen).toHaveLength(1);
    },
  );

  test.each([
    [429, "119", [119, 119, 119, 119, 119]],
    [503, "119", [119]],
    [500, "20", [20, 20, 20]],
  ])("with %i and %j each time is waited for so long", async (code, wish, seconds) => {
    const pacing = fakePacing();
    const server = await serving(status(code, { "retry-after": wish }));
    await expectCode(pull(server, pacing), code === 429 ? "ORAS_RATE_LIMITED" : "ORAS_HTTP_STATUS");
    expect(pacing.waitsMs).toEqual(seconds.map((one) => one * 1000));
  });

  test("is asked less and less often, six times in all", async () => {
    const pacing = fakePacing(1);
    const server = await serving(status(503, { "x-request-id": "r-1" }));
    const error = await expectCode(pull(server, pacing), "ORAS_HTTP_STATUS");
    expect(error.details).toMatchObject({ status: 503, requestId: "r-1" });
    expect(pacing.waitsMs).toEqual([250, 500, 1000, 2000, 4000]);
  });
});

describe("a stopped pull", () => {
  test("ends with ORAS_ABORTED, also in the middle of a body", async () => {
    const server = await serving((_request, response) => {
      response.writeHead(200, { "content-length": content.byteLength });
      response.write(content.subarray(0, 1000));
    });
    const controller = new AbortController();
    const repository = new RemoteRepository(testClient(), server.host, "app");
    const chunks = await repository.fetch(blob, { signal: controller.signal });
    const reading = async (): Promise<void> => {
      for await (const _chunk of chunks) controller.abort();
    };
    await expectCode(reading(), "ORAS_ABORTED");
    await expectCode(repository.resolve("v1", { signal: controller.signal }), "ORAS_ABORTED");
  });
});
