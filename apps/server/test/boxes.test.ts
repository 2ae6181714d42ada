import { describe, expect, test } from "vitest";
import { boxDetails } from "./support/fake-boxes.ts";
import { framesOf, open, readText, readUntil, send } from "./support/request.ts";
import { startServer } from "./support/server.ts";

const body = { image: "oci:/images/x:1", name: "web" };

describe.each([
  ["a unix socket", undefined],
  ["IPv4 loopback", "tcp://127.0.0.1:0"],
  ["localhost", "tcp://localhost:0"],
])("over %s", (_name, listen) => {
  test("a box is created, listed, inspected, prepared and removed", async () => {
    const { url } = await startServer(listen === undefined ? {} : { listen });
    const created = await send(url, "/v1/boxes", { method: "POST", body });
    expect(created.status).toBe(202);
    expect(created.json).toMatchObject({ kind: "create", box: { name: "web" }, state: "running" });
    const location = created.headers.location ?? "";
    expect(location).toBe(`/v1/operations/${created.json.id}`);
    expect((await send(url, `${location}/wait`)).json).toMatchObject({ state: "succeeded" });
    const list = await send(url, "/v1/boxes");
    expect(list.json.boxes.map((box: { name: string }) => box.name)).toEqual(["web"]);
    expect((await send(url, "/v1/boxes/web")).json).toEqual(boxDetails("web", body.image));
    const prepared = await send(url, "/v1/boxes/web/prepare", { method: "POST" });
    expect(prepared).toMatchObject({ status: 202, json: { kind: "prepare" } });
    const events = framesOf((await send(url, `${prepared.headers.location}/events`)).text);
    expect(events.map((frame) => frame.event)).toEqual(["started", "progress", "finished", "done"]);
    expect(await send(url, "/v1/boxes/web", { method: "DELETE" })).toMatchObject({
      status: 204,
      text: "",
    });
    expect((await send(url, "/v1/boxes/web")).status).toBe(404);
  });
});

describe("creating a box", () => {
  test("answers with the error when it fails before it begins, and remembers no operation", async () => {
    const { url, boxes } = await startServer();
    boxes.known.set("web", boxDetails("web"));
    const answer = await send(url, "/v1/boxes", { method: "POST", body });
    expect(answer).toMatchObject({
      status: 409,
      json: { code: "BOX_NAME_TAKEN", kind: "conflict" },
    });
    expect(answer.headers["content-type"]).toContain("application/problem+json");
    expect((await send(url, "/v1/operations")).json.operations).toEqual([]);
  });

  test("ends as a failed operation with the error when it fails later, never as an error inside a 200", async () => {
    const { url, boxes, log } = await startServer();
    const gate = boxes.hold();
    const { headers } = await send(url, "/v1/boxes", { method: "POST", body });
    gate.fail(new TypeError("x is not y"));
    const ended = await send(url, `${headers.location}/wait`);
    expect(ended.json).toMatchObject({
      state: "failed",
      error: { code: "INTERNAL", kind: "internal" },
    });
    expect(log.join("")).toContain("x is not y");
  });

  test.each([
    [{}, "body"],
    [{ ...body, name: "" }, "name"],
    [{ ...body, extra: 1 }, "extra"],
    [{ ...body, diskSizeBytes: -1 }, "diskSizeBytes"],
    [{ ...body, pull: "sometimes" }, "pull"],
    [[], "body"],
  ])("refuses the body %j", async (wrong, named) => {
    const { url, boxes } = await startServer();
    const answer = await send(url, "/v1/boxes", { method: "POST", body: wrong });
    expect(answer).toMatchObject({
      status: 400,
      json: { code: "SERVER_INVALID_REQUEST", kind: "invalid-argument" },
    });
    expect(answer.text).toContain(named);
    expect(boxes.created).toEqual([]);
  });
});

describe("Idempotency-Key", () => {
  const keyed = (key: string, sent: unknown = body) => ({
    method: "POST",
    headers: { "idempotency-key": key },
    body: sent,
  });

  test("makes equal requests one operation, even when they come at once", async () => {
    const { url, boxes } = await startServer();
    const answers = await Promise.all(
      [1, 2, 3].map(() =>
        send(url, "/v1/boxes", keyed("k", { name: body.name, image: body.image })),
      ),
    );
    answers.push(await send(url, "/v1/boxes", keyed("k")));
    expect(new Set(answers.map((answer) => answer.json.id)).size).toBe(1);
    expect(answers.map((answer) => answer.status)).toEqual([202, 202, 202, 202]);
    expect(
      answers.filter((answer) => answer.headers["idempotent-replayed"] === "true"),
    ).toHaveLength(3);
    expect(boxes.created).toHaveLength(1);
  });

  test("is refused for another request", async () => {
    const { url } = await startServer();
    await send(url, "/v1/boxes", keyed("k"));
    const other = await send(url, "/v1/boxes", keyed("k", { ...body, name: "other" }));
    expect(other).toMatchObject({ status: 422, json: { code: "SERVER_IDEMPOTENCY_MISMATCH" } });
  });

  test("is known from the state after a restart", async () => {
    const first = await startServer();
    const { json } = await send(first.url, "/v1/boxes", keyed("k"));
    const second = await startServer();
    second.boxes.stored.set(json.id, { record: { ...json, state: "succeeded" }, events: [] });
    const again = await send(second.url, "/v1/boxes", keyed("k"));
    expect(again).toMatchObject({ status: 202, json: { id: json.id, state: "succeeded" } });
    expect(again.headers["idempotent-replayed"]).toBe("true");
    expect((await send(second.url, "/v1/boxes", keyed("k", { ...body, name: "o" }))).status).toBe(
      422,
    );
    expect(second.boxes.created).toEqual([]);
  });

  test("gives both of two concurrent requests the error of work that never began", async () => {
    const { url } = await startServer({});
    const { url: other, boxes } = await startServer();
    boxes.known.set("web", boxDetails("web"));
    const answers = await Promise.all([1, 2].map(() => send(other, "/v1/boxes", keyed("k"))));
    expect(answers.map((answer) => answer.status)).toEqual([409, 409]);
    expect((await send(url, "/v1/operations")).json.operations).toEqual([]);
  });

  test("must be visible ASCII", async () => {
    const { url } = await startServer();
    expect((await send(url, "/v1/boxes", keyed("two words"))).status).toBe(400);
  });
});

describe("events", () => {
  test("come as they happen, and a reader that comes back gets exactly what it missed", async () => {
    const { url, boxes } = await startServer();
    const gate = boxes.hold();
    const { headers } = await send(url, "/v1/boxes", { method: "POST", body });
    const first = await open(url, `${headers.location}/events`);
    expect(first.headers["content-type"]).toContain("text/event-stream");
    const seen = framesOf(await readUntil(first, (text) => text.includes("id: 2")));
    expect(seen.map((frame) => frame.id)).toEqual([1, 2]);
    const second = open(url, `${headers.location}/events`, { headers: { "last-event-id": "1" } });
    gate.open();
    const rest = framesOf(await readText(await second));
    expect(rest.map((frame) => [frame.id, frame.event])).toEqual([
      [2, "progress"],
      [3, "finished"],
      [4, "done"],
    ]);
    expect(rest.at(-1)?.data.operation).toMatchObject({ state: "succeeded" });
  });

  test.each([
    ["that of done", 4],
    ["a greater one", 99],
  ])("end at once for a reader whose last number is %s", async (_name, seen) => {
    const { url } = await startServer();
    const { headers } = await send(url, "/v1/boxes", { method: "POST", body });
    await send(url, `${headers.location}/wait`);
    const path = `${headers.location}/events`;
    const again = await send(url, path, { headers: { "last-event-id": String(seen) } });
    expect(again).toMatchObject({ status: 204, text: "" });
    const before = await send(url, path, { headers: { "last-event-id": "3" } });
    expect(framesOf(before.text).map((frame) => [frame.id, frame.event])).toEqual([[4, "done"]]);
  });

  test("have no second done for a reader that was ahead of a running operation", async () => {
    const { url, boxes } = await startServer();
    const record = {
      id: "a".repeat(32),
      kind: "create",
      box: { id: "b", name: "web" },
      startedAt: "2026-01-02T03:04:05.000Z",
    };
    const states = ["running", "running"] as const;
    const asked = states.values();
    boxes.operations.find = async () => ({ ...record, state: asked.next().value ?? "succeeded" });
    const answer = await send(url, `/v1/operations/${record.id}/events`, {
      headers: { "last-event-id": "99" },
    });
    expect(answer).toMatchObject({ status: 200, text: "" });
  });

  test("come as NDJSON when Accept prefers it", async () => {
    const { url } = await startServer();
    const { headers } = await send(url, "/v1/boxes", { method: "POST", body });
    const answer = await send(url, `${headers.location}/events`, {
      headers: { accept: "application/x-ndjson, text/event-stream" },
    });
    expect(answer.headers["content-type"]).toContain("application/x-ndjson");
    const lines = answer.text
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(lines.map((line) => [line.sequence, line.type])).toEqual([
      [1, "started"],
      [2, "progress"],
      [3, "finished"],
      [4, "done"],
    ]);
  });

  test("of an operation of another process are read from the state until it ends", async () => {
    const { url, boxes } = await startServer();
    const id = "a".repeat(32);
    const record = {
      id,
      kind: "create",
      box: { id: "b", name: "web" },
      state: "running" as const,
      startedAt: "2026-01-02T03:04:05.000Z",
    };
    const events = [{ type: "started", sequence: 1 }];
    boxes.stored.set(id, { record, events });
    const message = await open(url, `/v1/operations/${id}/events`);
    let text = "";
    for await (const chunk of message.setEncoding("utf8")) {
      text += chunk;
      if (events.length === 1) {
        events.push({ type: "finished", sequence: 2 });
        boxes.stored.set(id, { record: { ...record, state: "succeeded" } as never, events });
      }
    }
    expect(framesOf(text).map((frame) => frame.event)).toEqual(["started", "finished", "done"]);
  });

  test("of an unknown operation are a problem, and a bad Last-Event-ID is one", async () => {
    const { url } = await startServer();
    const missing = await send(url, "/v1/operations/nope/events");
    expect(missing).toMatchObject({ status: 404, json: { code: "SERVER_OPERATION_NOT_FOUND" } });
    const wrong = await send(url, "/v1/operations/nope/events", {
      headers: { "last-event-id": "x" },
    });
    expect(wrong.status).toBe(400);
  });
});

describe("operations", () => {
  test("are listed, waited for and cancelled", async () => {
    const { url, boxes } = await startServer();
    boxes.hold();
    const { json } = await send(url, "/v1/boxes", { method: "POST", body });
    const path = `/v1/operations/${json.id}`;
    expect((await send(url, "/v1/operations")).json.operations).toMatchObject([{ id: json.id }]);
    expect((await send(url, `${path}/wait?timeoutMs=1`)).json.state).toBe("running");
    expect((await send(url, `${path}/wait?timeoutMs=-1`)).status).toBe(400);
    expect((await send(url, path, { method: "DELETE" })).status).toBe(202);
    expect((await send(url, `${path}/wait`)).json).toMatchObject({ state: "cancelled" });
    expect((await send(url, path)).json).toMatchObject({
      state: "cancelled",
      error: { kind: "aborted" },
    });
    expect((await send(url, "/v1/boxes/web")).status).toBe(404);
  });

  test("that have ended, or that another process carries out, cannot be cancelled", async () => {
    const { url, boxes } = await startServer();
    const { headers } = await send(url, "/v1/boxes", { method: "POST", body });
    const path = headers.location ?? "";
    await send(url, `${path}/wait`);
    const ended = await send(url, path, { method: "DELETE" });
    const id = "a".repeat(32);
    boxes.stored.set(id, {
      record: {
        id,
        kind: "create",
        box: { id: "b", name: "other" },
        state: "running",
        startedAt: "2026-01-02T03:04:05.000Z",
      },
      events: [],
    });
    const foreign = await send(url, `/v1/operations/${id}`, { method: "DELETE" });
    for (const [answer, state] of [
      [ended, "succeeded"],
      [foreign, "running"],
    ] as const) {
      expect(answer.headers["content-type"]).toMatch(/^application\/problem\+json/);
      expect(answer).toMatchObject({
        status: 409,
        json: {
          code: "SERVER_OPERATION_NOT_RUNNING",
          kind: "conflict",
          hint: expect.any(String),
          details: { state },
        },
      });
    }
  });

  test("of the state and of this process are one list, the newest first", async () => {
    const { url, boxes } = await startServer({ now: () => Date.parse("2026-05-01") });
    const { json } = await send(url, "/v1/boxes", { method: "POST", body });
    for (const [id, startedAt] of [
      [json.id, "2026-05-01T00:00:00.000Z"],
      ["old", "2026-04-01T00:00:00.000Z"],
      ["new", "2026-06-01T00:00:00.000Z"],
    ]) {
      boxes.stored.set(id, {
        record: {
          id,
          kind: "create",
          box: { id: "b", name: "web" },
          state: "succeeded",
          startedAt,
        },
        events: [],
      });
    }
    const { operations } = (await send(url, "/v1/operations")).json;
    expect(operations.map((each: { id: string }) => each.id)).toEqual(["new", json.id, "old"]);
    expect((await send(url, `/v1/operations/${json.id}`)).json.box).toEqual({
      id: "b",
      name: "web",
    });
  });
});
