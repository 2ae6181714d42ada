import type { IncomingMessage, ServerResponse } from "node:http";
import { type Credentials, type RegistryClientOptions, RemoteRepository } from "@box/oras";
import { type ScriptedServer, scriptedServer } from "@box/test-support";
import { describe, expect, test } from "vitest";
import { expectCode } from "../expect-code.ts";
import { sampleImage } from "../sample-image.ts";
import { fakePacing, testClient } from "../test-client.ts";

const password: Credentials = { type: "password", username: "ann", password: "s3cret" };
const basic = `Basic ${Buffer.from("ann:s3cret").toString("base64")}`;
const { manifestBytes, root } = await sampleImage();

interface TokenRules {
  /** Answers a token request. */
  readonly token?: (request: IncomingMessage, response: ServerResponse, body: string) => unknown;
  /** Whether an `Authorization` is good for the registry. */
  readonly accepts?: (authorization: string | undefined) => boolean;
  readonly challenge?: (host: string) => string;
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  let body = "";
  for await (const chunk of request) body += chunk;
  return body;
}

/** A registry that is its own token server at `/token`. */
async function registry(rules: TokenRules): Promise<ScriptedServer & { tokenBodies: string[] }> {
  const tokenBodies: string[] = [];
  const server = await scriptedServer(async (request, response) => {
    const body = await bodyOf(request);
    const host = request.headers.host ?? "";
    if (request.url?.startsWith("/token")) {
      tokenBodies.push(body);
      return rules.token?.(request, response, body);
    }
    if (rules.accepts?.(request.headers.authorization)) return response.end(manifestBytes);
    const challenge =
      rules.challenge?.(host) ?? `Bearer realm="http://${host}/token",service="svc"`;
    response.writeHead(401, { "www-authenticate": challenge });
    return response.end('{"errors":[{"code":"UNAUTHORIZED"}]}');
  });
  return { ...server, tokenBodies };
}

function repository(server: ScriptedServer, options: RegistryClientOptions = {}): RemoteRepository {
  return new RemoteRepository(testClient(options), server.host, "app");
}

const withPassword: RegistryClientOptions = { credentials: async () => password };

function tokenReply(reply: unknown): NonNullable<TokenRules["token"]> {
  return (_request, response) => response.end(JSON.stringify(reply));
}

describe("authorization", () => {
  test("sends nothing before it is asked, then basic credentials", async () => {
    const server = await registry({
      accepts: (authorization) => authorization === basic,
      challenge: () => 'Basic realm="x"',
    });
    const repo = repository(server, withPassword);
    expect((await repo.fetchReference("v1")).descriptor).toEqual(root);
    await repo.fetchReference("v1");
    expect(server.seen.map(({ headers }) => headers["authorization"])).toEqual([
      undefined,
      basic,
      basic,
    ]);
  });

  test("fetches an anonymous token by GET, once for all requests of a scope", async () => {
    const server = await registry({
      accepts: (authorization) => authorization === "Bearer t1",
      token: tokenReply({ token: "t1", expires_in: 300 }),
    });
    const repo = repository(server);
    await repo.fetchReference("v1");
    await Promise.all([1, 2, 3].map(() => repo.fetchReference("v1")));
    const asked = server.seen.filter(({ path }) => path.startsWith("/token"));
    expect(asked.map(({ method, path }) => `${method} ${path}`)).toEqual([
      "GET /token?service=svc&scope=repository%3Aapp%3Apull",
    ]);
    expect(asked[0]?.headers["authorization"]).toBeUndefined();
  });

  test("shares one token request among requests that start together", async () => {
    const server = await registry({
      accepts: (authorization) => authorization === "Bearer t1",
      token: tokenReply({ access_token: "t1" }),
    });
    const repo = repository(server);
    await Promise.all([1, 2, 3, 4].map(() => repo.fetchReference("v1")));
    expect(server.tokenBodies).toHaveLength(1);
  });

  test("fetches a new token when nine tenths of its life are over", async () => {
    const pacing = fakePacing();
    const server = await registry({
      accepts: (authorization) => authorization === "Bearer t",
      token: tokenReply({ token: "t", expires_in: 100 }),
    });
    const repo = repository(server, { pacing });
    await repo.fetchReference("v1");
    pacing.nowMs += 89_000;
    await repo.fetchReference("v1");
    expect(server.tokenBodies).toHaveLength(1);
    pacing.nowMs += 2_000;
    await repo.fetchReference("v1");
    expect(server.tokenBodies).toHaveLength(2);
  });

  test("lives on when a token expires early, and keeps a life of a minute at least", async () => {
    let issued = 0;
    const server = await registry({
      accepts: (authorization) => authorization === `Bearer t${issued}`,
      token: (_request, response) =>
        response.end(JSON.stringify({ token: `t${++issued}`, expires_in: -5 })),
    });
    const repo = repository(server);
    await repo.fetchReference("v1");
    await repo.fetchReference("v1");
    expect(issued).toBe(1);
    issued++; // the registry forgets t1
    await repo.fetchReference("v1");
    expect(issued).toBe(3);
  });

  test("sends a password by POST and never in a URL", async () => {
    const server = await registry({
      accepts: (authorization) => authorization === "Bearer t",
      token: tokenReply({ access_token: "t" }),
    });
    await repository(server, withPassword).fetchReference("v1");
    expect(Object.fromEntries(new URLSearchParams(server.tokenBodies[0]))).toEqual({
      client_id: "box",
      service: "svc",
      scope: "repository:app:pull",
      grant_type: "password",
      username: "ann",
      password: "s3cret",
    });
    for (const { path } of server.seen) expect(path).not.toContain("s3cret");
  });

  test.each([400, 401, 404, 405])(
    "falls back to GET with basic credentials when POST gets %i",
    async (status) => {
      const server = await registry({
        accepts: (authorization) => authorization === "Bearer t",
        token: (request, response) => {
          if (request.method === "POST") response.statusCode = status;
          response.end(request.headers.authorization === basic ? '{"token":"t"}' : "");
        },
      });
      expect((await repository(server, withPassword).fetchReference("v1")).descriptor).toEqual(
        root,
      );
    },
  );

  test("turns an identity token into an access token", async () => {
    const server = await registry({
      accepts: (authorization) => authorization === "Bearer t",
      token: tokenReply({ access_token: "t" }),
    });
    const credentials = async (): Promise<Credentials> => ({ type: "identity-token", token: "id" });
    await repository(server, { credentials }).fetchReference("v1");
    const form = new URLSearchParams(server.tokenBodies[0]);
    expect([form.get("grant_type"), form.get("refresh_token")]).toEqual(["refresh_token", "id"]);
  });

  test("uses a registry token as it is", async () => {
    const server = await registry({ accepts: (authorization) => authorization === "Bearer mine" });
    const credentials = async (): Promise<Credentials> => ({
      type: "registry-token",
      token: "mine",
    });
    await repository(server, { credentials }).fetchReference("v1");
    expect(server.tokenBodies).toEqual([]);
  });

  test("asks for the scopes that the registry names besides its own", async () => {
    const server = await registry({
      accepts: (authorization) => authorization === "Bearer t",
      token: tokenReply({ token: "t" }),
      challenge: (host) => `Bearer realm="http://${host}/token",scope="repository:base:pull"`,
    });
    await repository(server).fetchReference("v1");
    expect(server.seen[1]?.path).toBe(
      "/token?scope=repository%3Aapp%3Apull&scope=repository%3Abase%3Apull",
    );
  });
});

describe("refused authorization", () => {
  test("without credentials is ORAS_AUTH_REQUIRED with a hint", async () => {
    const server = await registry({ challenge: () => 'Basic realm="x"' });
    const error = await expectCode(repository(server).fetchReference("v1"), "ORAS_AUTH_REQUIRED");
    expect(error.hint).toContain("log in");
    expect(server.seen).toHaveLength(1);
  });

  test("with credentials is ORAS_AUTH_DENIED after one more try", async () => {
    for (const challenge of ['Basic realm="x"', undefined]) {
      const server = await registry({
        token: tokenReply({ token: "t" }),
        ...(challenge === undefined ? {} : { challenge: () => challenge }),
      });
      const error = await expectCode(
        repository(server, withPassword).fetchReference("v1"),
        "ORAS_AUTH_DENIED",
      );
      expect(JSON.stringify([error.message, error.details])).not.toContain("s3cret");
    }
  });

  test("by the token server is ORAS_AUTH_DENIED and is not remembered", async () => {
    let isOpen = false;
    const server = await registry({
      accepts: (authorization) => authorization === "Bearer t",
      token: (_request, response) => {
        response.statusCode = isOpen ? 200 : 403;
        response.end('{"token":"t"}');
      },
    });
    const repo = repository(server, withPassword);
    await expectCode(repo.fetchReference("v1"), "ORAS_AUTH_DENIED");
    isOpen = true;
    await repo.fetchReference("v1");
  });

  test.each(["{}", '{"token":""}', '{"token":"a b"}', '{"token":7}', "<html>"])(
    "because the token server sends %j is not retried for ever",
    async (reply) => {
      const server = await registry({ token: (_request, response) => response.end(reply) });
      await expect(repository(server).fetchReference("v1")).rejects.toMatchObject({
        code: expect.stringMatching(/ORAS_BAD_RESPONSE|OCI_INVALID_JSON/),
      });
      expect(server.tokenBodies).toHaveLength(1);
    },
  );

  test("because a token has no end stops at the limit", async () => {
    const server = await registry({
      token: (_request, response) => {
        const more = (): void => {
          while (!response.destroyed && response.write(Buffer.alloc(65_536, 0x20)));
        };
        response.on("drain", more);
        more();
      },
    });
    await expectCode(repository(server).fetchReference("v1"), "OCI_TOO_LARGE");
  });

  test("because of a 500 of the token server heals", async () => {
    const server = await registry({
      accepts: (authorization) => authorization === "Bearer t",
      token: (_request, response) => {
        if (server.tokenBodies.length === 1) response.statusCode = 500;
        response.end('{"token":"t"}');
      },
    });
    await repository(server).fetchReference("v1");
    expect(server.tokenBodies).toHaveLength(2);
  });

  test("by an unknown scheme is ORAS_AUTH_REQUIRED", async () => {
    const server = await registry({ challenge: () => "Negotiate" });
    await expectCode(repository(server).fetchReference("v1"), "ORAS_AUTH_REQUIRED");
  });

  test("stops waiting for a token when it is aborted", async () => {
    const controller = new AbortController();
    const server = await registry({ token: () => controller.abort() });
    const repo = repository(server);
    const { signal } = controller;
    await expectCode(repo.fetchReference("v1", { signal }), "ORAS_ABORTED");
  });
});

describe("credentials stay where they belong", () => {
  test("a token server on another host gets none over plain http", async () => {
    const other = await scriptedServer((_request, response) => response.end('{"token":"t"}'));
    const server = await registry({
      challenge: () => `Bearer realm="http://localhost:${other.host.split(":")[1]}/token"`,
    });
    await expectCode(repository(server, withPassword).fetchReference("v1"), "ORAS_REALM_REFUSED");
    expect(other.seen).toEqual([]);
  });

  test("a POST with a password is not repeated elsewhere", async () => {
    const other = await scriptedServer((_request, response) => response.end('{"token":"t"}'));
    const server = await registry({
      token: (_request, response) => {
        response.writeHead(307, { location: `${other.origin}/token` });
        response.end();
      },
    });
    await expectCode(
      repository(server, withPassword).fetchReference("v1"),
      "ORAS_REDIRECT_REFUSED",
    );
    expect(other.seen).toEqual([]);
  });
});
