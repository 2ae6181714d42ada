import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { createServer as createSecureServer } from "node:https";
import {
  bytesSource,
  describe as describeContent,
  type OrasErrorCode,
  RemoteRepository,
} from "@box/oras";
import { serveRegistry } from "@box/oras/registry-server";
import { drain, listen, scriptedServer, selfSigned } from "@box/test-support";
import { describe, expect, onTestFinished, test } from "vitest";
import { expectCode } from "../expect-code.ts";
import { noise } from "../sample-image.ts";
import { fakePacing, testClient } from "../test-client.ts";

const content = noise(300_000);
const blob = describeContent("application/octet-stream", content);
const otherDigest = describeContent("application/octet-stream", content.subarray(1)).digest;
const chunked = 100_000;
const monolithic = 10_000_000;

type Method = "POST" | "PATCH" | "PUT";

interface Real {
  status: number;
  headers: Record<string, string>;
}

/** Breaks a request: what the registry would say is asked for, or not. */
type Fault = (
  response: ServerResponse,
  pass: () => Promise<Real>,
  passTime: (ms: number) => void,
) => unknown;

const credentials = async () =>
  ({ type: "password", username: "ann", password: "s3cret" }) as const;

/** A registry with tokens that fails at one method as told, the first time or always. */
async function faultyRegistry(at: Method, fault: Fault, often: "once" | "always") {
  let nowMs = Date.UTC(2026, 0, 1);
  const passTime = (ms: number) => {
    nowMs += ms;
  };
  const registry = await serveRegistry({
    auth: { scheme: "token", users: { ann: "s3cret" } },
    now: () => nowMs,
  });
  onTestFinished(() => registry.close());
  let requests = 0;
  let broken = 0;
  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    requests++;
    const parts: Buffer[] = [];
    for await (const part of request) parts.push(part as Buffer);
    const pass = () => forward(request, Buffer.concat(parts), registry.origin, origin);
    // The first request only learns that it needs a token.
    const isMeant = request.method === at && request.headers.authorization !== undefined;
    if (isMeant && (often === "always" || broken === 0)) {
      broken++;
      await fault(response, pass, passTime);
    } else {
      const { status, headers, body } = await pass();
      response.writeHead(status, headers).end(body);
    }
  };
  const host = `127.0.0.1:${await listen(createServer(answer))}`;
  const origin = `http://${host}`;
  const pacing = fakePacing();
  const client = testClient({ pacing, credentials, headersTimeoutMs: 300, idleTimeoutMs: 300 });
  return {
    repository: new RemoteRepository(client, host, "app"),
    pacing,
    counts: () => ({ requests, broken }),
    inRegistry: () => new RemoteRepository(testClient({ credentials }), registry.host, "app"),
  };
}

async function forward(request: IncomingMessage, body: Buffer, upstream: string, origin: string) {
  const { method = "", url = "", headers } = request;
  const names = ["authorization", "content-type", "content-range"];
  const reply = await fetch(`${upstream}${url}`, {
    method,
    headers: names.flatMap((name): [string, string][] =>
      headers[name] === undefined ? [] : [[name, String(headers[name])]],
    ),
    ...(body.byteLength === 0 ? {} : { body: new Uint8Array(body) }),
  });
  const {
    connection: _connection,
    "keep-alive": _alive,
    ...own
  } = Object.fromEntries(
    [...reply.headers].map(([name, value]) => [name, value.replaceAll(upstream, origin)]),
  );
  return { status: reply.status, headers: own, body: Buffer.from(await reply.arrayBuffer()) };
}

const status =
  (code: number, headers: Record<string, string> = {}): Fault =>
  (response) =>
    response.writeHead(code, headers).end();

/** The registry's own reply, changed. */
const changed =
  (headers: Record<string, string>): Fault =>
  async (response, pass) => {
    const real = await pass();
    response.writeHead(real.status, { ...real.headers, ...headers }).end();
  };

const reset: Fault = (response) => response.socket?.resetAndDestroy();
const drop: Fault = (response) => response.destroy();
const stall: Fault = () => {};
const lost: Fault = async (response, pass) => {
  await pass();
  response.destroy();
};

/** The registry's clock goes on, so that it refuses the token that it gave out. */
const expired: Fault = async (response, pass, passTime) => {
  passTime(3_600_000);
  const { status: code, headers } = await pass();
  response.writeHead(code, headers).end();
};

const healing: Record<string, Fault> = {
  "a reset": reset,
  "a drop": drop,
  "a stall": stall,
  "a reply that is lost": lost,
  "a token that expired": expired,
  "408": status(408),
  "429": status(429, { "retry-after": "7" }),
  "500": status(500),
  "502": status(502),
  "503": status(503),
  "504": status(504),
};

describe("a push heals after", () => {
  const places = [
    ["POST", monolithic],
    ["PUT", monolithic],
    ["PATCH", chunked],
    ["PUT", chunked],
  ] as const;
  const rows = Object.keys(healing).flatMap((name) =>
    places.map(([method, chunkBytes]) => [name, method, chunkBytes] as const),
  );
  // A request answers one challenge, and the first of a push is the one that learns of tokens.
  const later = rows.filter(
    ([name, method]) => name !== "a token that expired" || method !== "POST",
  );
  test.each(later)("%s at a %s, in parts of %i", async (name, method, chunkBytes) => {
    const fault = healing[name] as Fault;
    const { repository, inRegistry, counts, pacing } = await faultyRegistry(method, fault, "once");
    await repository.push(blob, bytesSource(content), { chunkBytes });
    expect(Buffer.compare(await drain(inRegistry().fetch(blob)), content)).toBe(0);
    expect(counts().broken).toBe(1);
    expect(counts().requests).toBeLessThan(20);
    if (name === "429") expect(pacing.waitsMs).toContain(7000);
  });

  test.each([
    ["fewer bytes than were sent", { range: "0-49999" }],
    ["no bytes at all", { range: "0-0" }],
    ["no range", { range: "" }],
  ])("a chunk after which the registry tells of %s", async (_name, headers) => {
    const { repository, inRegistry } = await faultyRegistry("PATCH", changed(headers), "once");
    await repository.push(blob, bytesSource(content), { chunkBytes: chunked });
    expect(Buffer.compare(await drain(inRegistry().fetch(blob)), content)).toBe(0);
  });
});

describe("a push fails in bounded time", () => {
  const rows: [string, Method, number, Fault, OrasErrorCode][] = [
    ["resets for ever", "PUT", monolithic, reset, "ORAS_NETWORK"],
    ["drops for ever", "PATCH", chunked, drop, "ORAS_NETWORK"],
    ["stalls for ever", "POST", monolithic, stall, "ORAS_STALLED"],
    ["401 for ever", "PUT", monolithic, status(401), "ORAS_AUTH_DENIED"],
    ["403", "POST", monolithic, status(403), "ORAS_AUTH_DENIED"],
    ["408 for ever", "PATCH", chunked, status(408), "ORAS_HTTP_STATUS"],
    ["416 for ever", "PATCH", chunked, status(416), "ORAS_HTTP_STATUS"],
    ["429 for ever", "PUT", monolithic, status(429), "ORAS_RATE_LIMITED"],
    ["503 for ever", "POST", monolithic, status(503), "ORAS_HTTP_STATUS"],
    [
      "bytes that nobody sent",
      "PATCH",
      chunked,
      changed({ range: "0-999999" }),
      "ORAS_BAD_RESPONSE",
    ],
    [
      "a registry that forgets each chunk",
      "PATCH",
      chunked,
      (response) =>
        response.writeHead(202, { location: "/v2/app/blobs/uploads/x", range: "0-0" }).end(),
      "ORAS_BAD_RESPONSE",
    ],
    [
      "another digest than the blob's",
      "PUT",
      monolithic,
      changed({ "docker-content-digest": otherDigest }),
      "OCI_DIGEST_MISMATCH",
    ],
    [
      "another digest after chunks",
      "PUT",
      chunked,
      changed({ "docker-content-digest": otherDigest }),
      "OCI_DIGEST_MISMATCH",
    ],
  ];
  test.each(rows)("after %s", async (_name, method, chunkBytes, fault, code) => {
    const { repository, counts } = await faultyRegistry(method, fault, "always");
    const push = repository.push(blob, bytesSource(content), { chunkBytes });
    const error = await expectCode(push, code);
    expect(JSON.stringify([error.message, error.details])).not.toContain("s3cret");
    expect(counts().requests).toBeLessThan(40);
  });

  test("after a place for the upload in the clear, where nothing is sent to", async () => {
    const plain = await scriptedServer((_request, response) => response.writeHead(201).end());
    const { cert, key } = selfSigned();
    const port = await listen(
      createSecureServer({ cert, key }, (_request, response) =>
        response.writeHead(202, { location: `${plain.origin}/upload` }).end(),
      ),
    );
    const host = `127.0.0.1:${port}`;
    const client = testClient({ credentials, hosts: { [host]: { scheme: "https", ca: cert } } });
    const push = new RemoteRepository(client, host, "app").push(blob, bytesSource(content));
    await expectCode(push, "ORAS_BAD_RESPONSE");
    expect(plain.seen).toEqual([]);
  });

  test("after redirects to somebody else, who sees no credentials", async () => {
    const elsewhere = await scriptedServer((_request, response) => response.writeHead(403).end());
    const fault: Fault = status(307, { location: `${elsewhere.origin}/steal` });
    for (const method of ["POST", "PUT"] as const) {
      const { repository } = await faultyRegistry(method, fault, "always");
      await expectCode(repository.push(blob, bytesSource(content)), "ORAS_AUTH_DENIED");
    }
    expect(elsewhere.seen.length).toBeGreaterThan(0);
    for (const { headers } of elsewhere.seen) {
      expect(headers).not.toHaveProperty("authorization");
    }
  });
});
