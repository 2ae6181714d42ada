import { describe, expect, test } from "vitest";
import { boxDetails, emptyUsage } from "./support/fake-boxes.ts";
import { framesOf, send } from "./support/request.ts";
import { startServer } from "./support/server.ts";

async function withBox() {
  const server = await startServer();
  server.boxes.known.set("web", boxDetails("web"));
  return server;
}

const verbs = [
  ["start", "start", { recreateDisk: true }, "start"],
  ["stop", "stop", { graceMs: 0 }, "stop"],
  ["restart", "restart", { graceMs: 5, recreateDisk: false }, "restart"],
  ["clone", "clone", { name: "copy" }, "clone"],
  ["resize", "resize", { sizeBytes: 1024 }, "resize"],
  ["export", "export", { path: "/backups/web.tar", withBases: false }, "export"],
  ["snapshots", "snapshot-create", { snapshot: "s1" }, "createSnapshot"],
] as const;

describe.each(verbs)("POST /v1/boxes/web/%s", (path, kind, body, called) => {
  test("begins an operation with the body, whose events can be followed", async () => {
    const { url, boxes } = await withBox();
    const answer = await send(url, `/v1/boxes/web/${path}`, { method: "POST", body });
    expect(answer).toMatchObject({ status: 202, json: { kind, box: { name: "web" } } });
    expect(boxes.called).toEqual([[called, "web", body]]);
    const { text } = await send(url, `${answer.headers.location}/events`);
    expect(framesOf(text).at(-1)?.data.operation).toMatchObject({ state: "succeeded", kind });
  });

  test("is begun once for a key, and answers at once for a box that is not there", async () => {
    const { url, boxes } = await withBox();
    const request = { method: "POST", headers: { "idempotency-key": "k" }, body };
    const first = await send(url, `/v1/boxes/web/${path}`, request);
    const second = await send(url, `/v1/boxes/web/${path}`, request);
    expect(second.json.id).toBe(first.json.id);
    expect(boxes.called).toHaveLength(1);
    const unknown = await send(url, `/v1/boxes/other/${path}`, { method: "POST", body });
    expect(unknown).toMatchObject({ status: 404, json: { code: "BOX_NOT_FOUND" } });
    expect(boxes.called).toHaveLength(1);
  });

  test("refuses a body with what it does not know", async () => {
    const { url, boxes } = await withBox();
    const wrong = { ...body, more: 1 };
    const answer = await send(url, `/v1/boxes/web/${path}`, { method: "POST", body: wrong });
    expect(answer).toMatchObject({ status: 400, json: { code: "SERVER_INVALID_REQUEST" } });
    expect(boxes.called).toEqual([]);
  });
});

test.each(["start", "stop", "restart"])("%s needs no body", async (verb) => {
  const { url, boxes } = await withBox();
  const answer = await send(url, `/v1/boxes/web/${verb}`, { method: "POST" });
  expect(answer.status).toBe(202);
  expect(boxes.called).toEqual([[verb, "web", {}]]);
});

test.each([
  ["stop", { graceMs: -1 }],
  ["stop", { graceMs: 1e9 }],
  ["start", { recreateDisk: "yes" }],
  ["clone", {}],
  ["clone", { name: "" }],
  ["resize", { sizeBytes: 0 }],
  ["resize", { sizeBytes: 1.5 }],
  ["export", { path: "web.tar" }],
  ["export", {}],
  ["snapshots", {}],
])("%s refuses the body %j", async (verb, body) => {
  const { url, boxes } = await withBox();
  const answer = await send(url, `/v1/boxes/web/${verb}`, { method: "POST", body });
  expect(answer).toMatchObject({ status: 400, json: { code: "SERVER_INVALID_REQUEST" } });
  expect(boxes.called).toEqual([]);
});

describe("snapshots", () => {
  test("are listed, restored as an operation, and removed", async () => {
    const { url, boxes } = await withBox();
    const s1 = { name: "s1", createdAt: "2026-01-02T03:04:05.000Z", virtualSizeBytes: 1024 };
    boxes.snapshots.push(s1);
    const list = await send(url, "/v1/boxes/web/snapshots");
    expect(list).toMatchObject({ status: 200, json: { snapshots: [s1] } });
    const restored = await send(url, "/v1/boxes/web/snapshots/s1/restore", { method: "POST" });
    expect(restored).toMatchObject({ status: 202, json: { kind: "snapshot-restore" } });
    const removed = await send(url, "/v1/boxes/web/snapshots/s1", { method: "DELETE" });
    expect(removed).toMatchObject({ status: 204, text: "" });
    expect(boxes.called).toEqual([
      ["restoreSnapshot", "web", { snapshot: "s1" }],
      ["removeSnapshot", "web", { snapshot: "s1" }],
    ]);
  });

  test("of a box that is not there are a problem", async () => {
    const { url } = await withBox();
    for (const [method, path] of [
      ["GET", "/v1/boxes/other/snapshots"],
      ["POST", "/v1/boxes/other/snapshots/s1/restore"],
      ["DELETE", "/v1/boxes/other/snapshots/s1"],
    ] as const) {
      expect(await send(url, path, { method })).toMatchObject({
        status: 404,
        json: { code: "BOX_NOT_FOUND" },
      });
    }
  });
});

describe("storage", () => {
  test("is measured", async () => {
    const { url } = await withBox();
    expect((await send(url, "/v1/storage")).json).toEqual(emptyUsage);
  });

  test("is pruned, or only looked at", async () => {
    const { url, boxes } = await withBox();
    const body = { dryRun: true, quarantineOlderThanMs: 0, imageGraceMs: 5 };
    const dry = await send(url, "/v1/storage/prune", { method: "POST", body });
    expect(dry).toMatchObject({ status: 200, json: { dryRun: true, freedBytes: 0 } });
    const wet = await send(url, "/v1/storage/prune", { method: "POST" });
    expect(wet).toMatchObject({ status: 200, json: { dryRun: false } });
    expect(boxes.pruned).toEqual([body, {}]);
    const wrong = await send(url, "/v1/storage/prune", { method: "POST", body: { all: true } });
    expect(wrong.status).toBe(400);
  });
});
