import { connect, type Socket } from "node:net";
import { Validator } from "@seriousme/openapi-schema-validator";
import { describe, expect, test } from "vitest";
import { type Json, send } from "./support/request.ts";
import { startServer } from "./support/server.ts";

describe("errors of HTTP itself are problems with a code", () => {
  test.each([
    ["an unknown route", "/nope", {}, 404, "SERVER_ROUTE_NOT_FOUND"],
    ["an unknown route below a known one", "/v1/boxes/a/b", {}, 404, "SERVER_ROUTE_NOT_FOUND"],
    ["another method", "/v1/boxes", { method: "PUT" }, 405, "SERVER_METHOD_NOT_ALLOWED"],
    ["malformed JSON", "/v1/boxes", { method: "POST", rawBody: "{" }, 400, "SERVER_MALFORMED_JSON"],
    [
      "a poisoned body",
      "/v1/boxes",
      { method: "POST", rawBody: '{"__proto__":1}' },
      400,
      "SERVER_MALFORMED_JSON",
    ],
    [
      "another media type",
      "/v1/boxes",
      { method: "POST", rawBody: "a", headers: { "content-type": "text/csv" } },
      415,
      "SERVER_UNSUPPORTED_MEDIA_TYPE",
    ],
    [
      "a large body",
      "/v1/boxes",
      { method: "POST", rawBody: `"${"x".repeat(5000)}"` },
      413,
      "SERVER_BODY_TOO_LARGE",
    ],
    ["no body", "/v1/boxes", { method: "POST" }, 400, "SERVER_INVALID_REQUEST"],
    ["a broken path", "/v1/boxes/%zz", {}, 400, "SERVER_BAD_REQUEST"],
  ])("%s", async (_name, path, options, status, code) => {
    const { url } = await startServer({ bodyLimitBytes: 4096 });
    const answer = await send(url, path, options);
    expect(answer.status).toBe(status);
    expect(answer.headers["content-type"]).toMatch(/^application\/problem\+json/);
    expect(answer.json).toMatchObject({ status, code, type: `urn:box:error:${code}` });
    expect(answer.json.kind).toBe(answer.json.title);
  });

  test("a failure inside is told to the log, not to the caller", async () => {
    const { url, boxes, log } = await startServer();
    boxes.list = () => Promise.reject(new TypeError("secret reason"));
    const answer = await send(url, "/v1/boxes");
    expect(answer).toMatchObject({ status: 500, json: { code: "INTERNAL", cause: [] } });
    expect(answer.text).not.toContain("secret reason");
    expect(log.join("")).toContain("secret reason");
    expect(answer.json.instance).toMatch(/^urn:box:request:/);
  });

  test.each([
    ["that is not HTTP", "nonsense\r\n\r\n", 400, "SERVER_BAD_REQUEST", "usage"],
    ["without Host", "GET /livez HTTP/1.1\r\n\r\n", 400, "SERVER_BAD_REQUEST", "usage"],
    [
      "with a large header",
      `GET /livez HTTP/1.1\r\nhost: x\r\nx-large: ${"x".repeat(70_000)}\r\n\r\n`,
      431,
      "SERVER_HEADER_TOO_LARGE",
      "limit",
    ],
    [
      "with large chunk extensions",
      `POST /v1/boxes HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n1;${"x".repeat(20_000)}\r\n`,
      413,
      "SERVER_BODY_TOO_LARGE",
      "limit",
    ],
  ])("a request %s, and the server lives on", async (_name, bytes, status, code, kind) => {
    const { url } = await startServer();
    const socket = connect(url.slice("unix://".length));
    socket.on("connect", () => socket.end(bytes));
    const [head = "", body = ""] = (await readSocket(socket)).split("\r\n\r\n");
    expect(head).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
    expect(head).toMatch(/content-type: application\/problem\+json/i);
    expect(JSON.parse(body)).toMatchObject({ status, code, kind, hint: expect.any(String) });
    expect((await send(url, "/livez")).status).toBe(200);
  });

  test("garbage in the middle of an answer puts nothing into that answer", async () => {
    const { url, boxes } = await startServer();
    boxes.hold();
    const { headers } = await send(url, "/v1/boxes", {
      method: "POST",
      body: { image: "oci:/x:y", name: "web" },
    });
    const socket = connect(url.slice("unix://".length));
    socket.write(`GET ${headers.location}/events HTTP/1.1\r\nhost: x\r\n\r\n`);
    const text = await readSocket(socket, (chunk) => {
      if (chunk.includes("id: 2")) socket.write("nonsense\r\n\r\n");
    });
    expect(text).toContain("id: 2");
    expect(text).not.toContain("problem+json");
  });
});

async function readSocket(socket: Socket, onChunk?: (chunk: string) => void): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>();
  let text = "";
  socket.setEncoding("utf8");
  socket.on("data", (chunk: string) => {
    text += chunk;
    onChunk?.(chunk);
  });
  // A server that closes while it is still sent something resets the connection: what it said before counts.
  socket.on("error", () => {});
  socket.on("close", () => resolve(text));
  return promise;
}

test("livez, readyz and the version answer", async () => {
  const { url } = await startServer();
  expect((await send(url, "/livez")).json).toEqual({ status: "ok" });
  expect((await send(url, "/readyz")).json).toEqual({ status: "ok" });
  expect((await send(url, "/v1/version")).json).toEqual({ version: "1.2.3" });
});

test("every path of the document, and the document's own, answers other methods by 405 and those that it has", async () => {
  const { url } = await startServer();
  const { paths } = (await send(url, "/openapi.json")).json;
  const known = Object.entries<Json>({ ...paths, "/openapi.json": { get: {} } });
  expect(known.length).toBeGreaterThan(8);
  for (const [path, routes] of known) {
    const has = Object.keys(routes).map((method) => method.toUpperCase());
    const allow = [...has, ...(has.includes("GET") ? ["HEAD"] : [])].sort().join(", ");
    for (const method of ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]) {
      if (allow.split(", ").includes(method)) continue;
      const answer = await send(url, `${path.replace(/\{\w+\}/g, "x")}?a=b`, { method });
      expect([path, method, answer.status]).toEqual([path, method, 405]);
      expect(answer.headers["allow"]).toBe(allow);
      expect(answer.json.code).toBe("SERVER_METHOD_NOT_ALLOWED");
    }
  }
});

describe("openapi.json", () => {
  const load = async (apiKey?: string) => {
    const options = apiKey === undefined ? {} : { apiKey };
    const { url } = await startServer(options);
    return (await send(url, "/openapi.json")).json;
  };

  test("is OpenAPI 3.1 with a summary, an id and problems for every route", async () => {
    const document = await load();
    expect(document.openapi).toMatch(/^3\.1\./);
    const routes = Object.values<Record<string, Json>>(document.paths).flatMap(Object.values);
    expect(routes.map((route) => route.operationId).sort()).toEqual([
      "cancelOperation",
      "cloneBox",
      "createBox",
      "createSnapshot",
      "exportBox",
      "followOperation",
      "getOperation",
      "getStorage",
      "getVersion",
      "inspectBox",
      "listBoxes",
      "listOperations",
      "listSnapshots",
      "livez",
      "prepareBox",
      "pruneStorage",
      "readyz",
      "removeBox",
      "removeSnapshot",
      "resizeBox",
      "restartBox",
      "restoreSnapshot",
      "startBox",
      "stopBox",
      "waitForOperation",
    ]);
    for (const route of routes) {
      expect(route.summary).toBeTypeOf("string");
      expect(route.tags).toHaveLength(1);
      expect(route.responses["4XX"].content["application/problem+json"].schema).toEqual({
        $ref: "#/components/schemas/Problem",
      });
    }
  });

  test.each([undefined, "k".repeat(16)])(
    "is valid by OpenAPI's own schema (key %s)",
    async (key) => {
      const result = await new Validator().validate(await load(key));
      expect(result).toEqual({ valid: true });
    },
  );

  test("is refused by that schema once it is damaged", async () => {
    const document = await load();
    document.paths["/v1/boxes"].get.responses = 1;
    expect(await new Validator().validate(document)).toMatchObject({ valid: false });
  });

  test("defines no schema that nothing uses", async () => {
    const document = await load();
    const uses = (name: string) =>
      JSON.stringify(document).includes(`"$ref":"#/components/schemas/${name}"`);
    const names = Object.keys(document.components.schemas);
    expect(names.length).toBeGreaterThan(5);
    expect(names.filter((name) => !uses(name))).toEqual([]);
  });

  test("has no reference that leads nowhere, and names the shapes", async () => {
    const document = await load();
    const names = Object.keys(document.components.schemas);
    for (const name of ["Problem", "BoxSummary", "BoxDetails", "Operation"])
      expect(names).toContain(name);
    for (const [, name] of JSON.stringify(document).matchAll(
      /"#\/components\/schemas\/([^"]+)"/g,
    )) {
      expect(names).toContain(name);
    }
  });

  test("says that a key is wanted when one is", async () => {
    expect((await load()).security).toEqual([]);
    expect((await load("k".repeat(16))).security).toEqual([{ key: [] }]);
  });
});
