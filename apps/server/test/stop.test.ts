import { expect, test } from "vitest";
import { framesOf, open, readText, send } from "./support/request.ts";
import { startServer } from "./support/server.ts";

const body = { image: "oci:/images/x:1", name: "web" };

test("while it stops it is not ready, takes no new work and lets running work end", async () => {
  const { url, boxes, server } = await startServer();
  const gate = boxes.hold();
  const { headers } = await send(url, "/v1/boxes", { method: "POST", body });
  const events = open(url, `${headers.location}/events`);
  const message = await events;
  const stopped = server.stop({ graceMs: 60_000 });
  expect((await send(url, "/readyz")).status).toBe(503);
  expect((await send(url, "/livez")).status).toBe(200);
  const refused = await send(url, "/v1/boxes", { method: "POST", body: { ...body, name: "b" } });
  expect(refused).toMatchObject({
    status: 503,
    json: { code: "SERVER_STOPPING", retryable: true },
  });
  gate.open();
  await stopped;
  const last = framesOf(await readText(message)).at(-1);
  expect(last?.data.operation).toMatchObject({ state: "succeeded" });
  await expect(send(url, "/livez")).rejects.toThrow();
});

test("work that does not end within the grace is cancelled", async () => {
  const { url, boxes, server } = await startServer();
  boxes.hold();
  const { headers } = await send(url, "/v1/boxes", { method: "POST", body });
  const message = await open(url, `${headers.location}/events`);
  await Promise.all([server.stop({ graceMs: 1 }), server.stop()]);
  const last = framesOf(await readText(message)).at(-1);
  expect(last?.data.operation).toMatchObject({ state: "cancelled" });
});
