import { join } from "node:path";
import { type ImageSource, Runtime } from "@box/runtime";
import { parseListenAddress, runtimeBoxes, serve } from "@box/server";
import { isMachineAlive, type MachineRecord } from "@box/vm";
import { InProcessEngine } from "@box/vm/testing";
import { expect, onTestFinished, test } from "vitest";
import { send } from "./support/request.ts";
import { temporaryFolder } from "./support/server.ts";

/** Images with no layer at all: these boxes have programs of their own. */
const images: ImageSource = {
  nameOf: async (reference) => reference,
  ensureImage: async ({ reference }) => ({
    reference,
    digest: `sha256:${"0".repeat(64)}`,
    config: { environment: [], entrypoint: [], command: [], workingDirectory: "", user: "" },
    layers: [],
  }),
  ensureBootstrapImage: async () => {
    throw new Error("not needed: these boxes have no guest disk");
  },
};

async function serveHome() {
  const folder = await temporaryFolder();
  const engine = new InProcessEngine();
  const runtime = await Runtime.open({ home: join(folder, "home"), images, engine });
  onTestFinished(() => runtime.close());
  onTestFinished(async () => {
    for (const record of engine.spawned) await end(record);
  });
  const server = await serve({
    boxes: runtimeBoxes(runtime),
    supervised: runtime.boxes,
    listen: parseListenAddress(`unix://${join(folder, "s.sock")}`),
    version: "1",
  });
  onTestFinished(() => server.stop());
  const post = async (path: string, body: object = {}) => {
    const { status, headers } = await send(server.url, path, { method: "POST", body });
    expect([path, status]).toEqual([path, 202]);
    const { json } = await send(server.url, `${headers.location}/wait`);
    expect([path, json.state, json.error?.code]).toEqual([path, "succeeded", undefined]);
  };
  const inspect = async () => (await send(server.url, "/v1/boxes/web")).json;
  const create = (run: object) =>
    post("/v1/boxes", { image: "app", name: "web", guestRootfs: "none", run });
  return { url: server.url, server, runtime, engine, post, inspect, create };
}

async function end(record: MachineRecord): Promise<void> {
  if (!isMachineAlive(record)) return;
  await using machine = await new InProcessEngine().attach(record);
  await machine.stop({ graceMs: 0 });
}

test("a box is started, started again when its machine dies, and stays stopped when it was stopped", async () => {
  const { create, post, inspect, engine } = await serveHome();
  await create({ restart: { type: "always" } });
  await post("/v1/boxes/web/start");
  const { machine } = await inspect();
  // The server looks for boxes that run now and then, and must have found this one.
  process.kill(machine.process.pid, "SIGKILL");
  await expect
    .poll(async () => (await inspect()).machine?.id !== machine.id && (await inspect()).state, {
      timeout: 60_000,
    })
    .toBe("running");
  expect(await inspect()).toMatchObject({ restarts: 1, exit: { reason: "lost" } });
  await post("/v1/boxes/web/stop");
  expect(await inspect()).toMatchObject({ state: "stopped", stopRequested: true });
  expect(engine.spawned).toHaveLength(2);
});

test("every verb of a box works over HTTP", async () => {
  const { create, post, inspect, url, runtime } = await serveHome();
  await create({ memoryMiB: 128, cpus: 2, command: ["sleep"] });
  expect(await inspect()).toMatchObject({ run: { memoryMiB: 128, cpus: 2, command: ["sleep"] } });
  await post("/v1/boxes/web/snapshots", { snapshot: "s1" });
  await post("/v1/boxes/web/resize", { sizeBytes: 20 * 1024 ** 3 });
  const { json } = await send(url, "/v1/boxes/web/snapshots");
  expect(json.snapshots).toMatchObject([{ name: "s1" }]);
  await post("/v1/boxes/web/clone", { name: "copy" });
  await post("/v1/boxes/web/export", { path: join(runtime.home.root, "..", "web.tar") });
  await post("/v1/boxes/web/snapshots/s1/restore");
  expect((await send(url, "/v1/boxes/web/snapshots/s1", { method: "DELETE" })).status).toBe(204);
  await post("/v1/boxes/web/start");
  await post("/v1/boxes/web/restart");
  const busy = await send(url, "/v1/boxes/web/resize", {
    method: "POST",
    body: { sizeBytes: 1e9 },
  });
  expect(busy).toMatchObject({ status: 409, json: { code: "BOX_IN_USE" } });
  await post("/v1/boxes/web/stop", { graceMs: 100 });
  const usage = await send(url, "/v1/storage");
  expect(usage.json.boxes.items.map(({ name }: { name: string }) => name)).toEqual(["copy", "web"]);
  const pruned = await send(url, "/v1/storage/prune", { method: "POST", body: { dryRun: true } });
  expect(pruned).toMatchObject({ status: 200, json: { dryRun: true, removed: [] } });
});
