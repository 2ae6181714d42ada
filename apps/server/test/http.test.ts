import { connect } from "node:net";
import { describe, expect, test } from "vitest";
import { type Json, send } from "./support/request.ts";
import { startServer } from "./support/server.ts";

describe("errors of HTTP itself are problems with a code", () => {
  test.each([
    ["an unknown route", "/nope", {}, 404, "SERVER_ROUTE_NOT_FOUND"],
    ["an unknown method", "/v1/boxes", { method: "PUT" }, 404, "SERVER_ROUTE_NOT_FOUND"],
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

  test("a request that is not HTTP gets an answer and the server lives on", async () => {
    const { url } = await startServer();
    const socket = connect(url.slice("unix://".length));
    socket.end("nonsense\r\n\r\n");
    let text = "";
    for await (const chunk of socket.setEncoding("utf8")) text += chunk;
    expect(text).toMatch(/^HTTP\/1.1 400 /);
    expect((await send(url, "/livez")).status).toBe(200);
  });
});

test("livez, readyz and the version answer", async () => {
  const { url } = await startServer();
  expect((await send(url, "/livez")).json).toEqual({ status: "ok" });
  expect((await send(url, "/readyz")).json).toEqual({ status: "ok" });
  expect((await send(url, "/v1/version")).json).toEqual({ version: "1.2.3" });
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
      "createBox",
      "followOperation",
      "getOperation",
      "getVersion",
      "inspectBox",
      "listBoxes",
      "listOperations",
      "livez",
      "prepareBox",
      "readyz",
      "removeBox",
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
