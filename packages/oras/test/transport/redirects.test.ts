import type { ServerResponse } from "node:http";
import { createServer } from "node:https";
import {
  describe as describeContent,
  type HostOptions,
  type RegistryClientOptions,
  RemoteRepository,
} from "@box/oras";
import { drain, listen, type ScriptedServer, scriptedServer, selfSigned } from "@box/test-support";
import { describe, expect, test } from "vitest";
import { expectCode } from "../expect-code.ts";
import { noise } from "../sample-image.ts";
import { testClient } from "../test-client.ts";

const content = noise(5000);
const blob = describeContent("application/octet-stream", content);
const basic = `Basic ${Buffer.from("ann:s3cret").toString("base64")}`;

const withPassword: RegistryClientOptions = {
  credentials: async () => ({ type: "password", username: "ann", password: "s3cret" }),
};

/** A registry that wants basic credentials and then redirects. */
async function redirecting(
  locationOf: (count: number) => string,
  status = 307,
): Promise<ScriptedServer> {
  return scriptedServer((request, response, count) => {
    if (request.headers.authorization !== basic) {
      response.writeHead(401, { "www-authenticate": 'Basic realm="x"' });
      return response.end();
    }
    response.writeHead(status, { location: locationOf(count) });
    return response.end();
  });
}

async function pull(
  server: ScriptedServer,
  options: RegistryClientOptions = {},
): Promise<Uint8Array> {
  const client = testClient({ ...withPassword, ...options });
  return drain(new RemoteRepository(client, server.host, "app").fetch(blob));
}

describe("a redirect", () => {
  test.each([301, 302, 303, 307, 308])(
    "with %i to another origin is followed without credentials",
    async (status) => {
      const cdn = await scriptedServer((_request, response) => response.end(content));
      const server = await redirecting(() => `${cdn.origin}/blob?sig=secret`, status);
      expect(await pull(server)).toEqual(content);
      expect(cdn.seen).toHaveLength(1);
      expect(cdn.seen[0]?.headers).not.toHaveProperty("authorization");
      expect(cdn.seen[0]?.headers).not.toHaveProperty("cookie");
    },
  );

  test("within the origin keeps credentials", async () => {
    const server = await scriptedServer((request, response) => {
      if (request.headers.authorization !== basic) {
        response.writeHead(401, { "www-authenticate": 'Basic realm="x"' });
        return response.end();
      }
      if (request.url === "/moved") return response.end(content);
      response.writeHead(302, { location: "/moved" });
      return response.end();
    });
    expect(await pull(server)).toEqual(content);
  });

  test("is not trusted as the registry is", async () => {
    const { cert, key } = selfSigned();
    const content_ = (_request: unknown, response: ServerResponse) => response.end(content);
    const cdn = `127.0.0.1:${await listen(createServer({ cert, key }, content_))}`;
    const registry = createServer({ cert, key }, (_request, response) =>
      response.writeHead(307, { location: `https://${cdn}/blob` }).end(),
    );
    const host = `127.0.0.1:${await listen(registry)}`;
    const pullWith = (own: HostOptions, more: RegistryClientOptions = {}) => {
      const client = testClient({ hosts: { [host]: own }, ...more });
      return drain(new RemoteRepository(client, host, "app").fetch(blob));
    };
    await expectCode(pullWith({ scheme: "skip-verify" }), "ORAS_TLS");
    await expectCode(pullWith({ scheme: "https", ca: cert }), "ORAS_TLS");
    expect(await pullWith({ scheme: "https" }, { ca: cert })).toEqual(content);
  });

  test("that comes back to the origin does not get the credentials back", async () => {
    const home: string[] = [];
    const cdn = await scriptedServer((_request, response) => {
      response.writeHead(302, { location: home[0] ?? "" });
      response.end();
    });
    const server = await redirecting(() => `${cdn.origin}/away`);
    home.push(`${server.origin}/back`);
    await expect(pull(server)).rejects.toMatchObject({ details: { status: 401 } });
    const back = server.seen.filter(({ path }) => path === "/back");
    expect(back.length).toBeGreaterThan(0);
    for (const { headers } of back) expect(headers).not.toHaveProperty("authorization");
  });

  test("without end stops after ten", async () => {
    const server = await redirecting(() => "/again");
    await expectCode(pull(server), "ORAS_REDIRECT_REFUSED");
    expect(server.seen).toHaveLength(1 + 11);
  });

  test.each([0, 1, 12])("without end stops after %i when the client says so", async (limit) => {
    const server = await redirecting(() => "/again");
    await expectCode(pull(server, { maxRedirects: limit }), "ORAS_REDIRECT_REFUSED");
    expect(server.seen).toHaveLength(1 + limit + 1);
  });

  test.each([
    "file:///etc/passwd",
    "data:,x",
    "http://user:pass@127.0.0.1/",
    "http://[",
    "javascript:alert(1)",
  ])("to %s is refused", async (location) => {
    const server = await redirecting(() => location);
    await expectCode(pull(server), "ORAS_REDIRECT_REFUSED");
  });

  test("without a location is an unexpected status", async () => {
    const server = await scriptedServer((_request, response) => {
      response.writeHead(302);
      response.end();
    });
    await expectCode(pull(server), "ORAS_HTTP_STATUS");
  });

  test("to a URL that has expired goes back to the registry once", async () => {
    let isExpired = true;
    const cdn = await scriptedServer((_request, response) => {
      response.statusCode = isExpired ? 403 : 200;
      isExpired = false;
      response.end(content);
    });
    const server = await redirecting(() => `${cdn.origin}/blob`);
    expect(await pull(server)).toEqual(content);
    isExpired = true;
    const always = await scriptedServer((_request, response) => {
      response.statusCode = 403;
      response.end();
    });
    const denied = await redirecting(() => `${always.origin}/blob`);
    await expectCode(pull(denied), "ORAS_AUTH_DENIED");
    expect(always.seen).toHaveLength(2);
  });

  test("of a resumed download starts at the registry again", async () => {
    const cdn = await scriptedServer((request, response) => {
      if (request.headers.range !== undefined) {
        response.writeHead(206, { "content-range": "bytes 1000-4999/5000" });
        return response.end(content.subarray(1000));
      }
      response.writeHead(200, { "content-length": 5000 });
      return response.write(content.subarray(0, 1000), () => response.destroy());
    });
    const server = await redirecting((count) => `${cdn.origin}/blob?signature=${count}`);
    expect(await pull(server)).toEqual(content);
    expect(cdn.seen.map(({ path }) => path)).toEqual(["/blob?signature=2", "/blob?signature=3"]);
  });
});
