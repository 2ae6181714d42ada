import { join } from "node:path";
import { BaseCache } from "@box/rootfs";
import type { Reporter } from "@box/runtime";
import { expect, test } from "vitest";
import { Bootstraps } from "../src/source/bootstraps.ts";
import { FakeImages } from "./fake-images.ts";
import { temporaryFolder } from "./test-home.ts";

async function makeBootstraps() {
  const folder = await temporaryFolder();
  const bases = new BaseCache({ directory: folder, locksDirectory: join(folder, "locks") });
  const source = new FakeImages();
  return { source, bootstraps: new Bootstraps({ source, bases }) };
}

function hearing(signal: AbortSignal = new AbortController().signal) {
  const heard: string[] = [];
  const reporter: Reporter = {
    signal,
    progress: ({ unit }) => heard.push(`progress ${unit}`),
    info: (message) => heard.push(message),
    warn: ({ message }) => heard.push(message),
    cached: (message) => heard.push(message),
  };
  return { heard, reporter };
}

test("concurrent callers share one attempt, and all hear it", async () => {
  const { source, bootstraps } = await makeBootstraps();
  const [a, b] = [hearing(), hearing()];
  const both = await Promise.all([bootstraps.get({}, a.reporter), bootstraps.get({}, b.reporter)]);
  expect(both[0]).toBe(both[1]);
  expect(source.asked).toEqual(["bootstrap"]);
  expect(a.heard[0]).toBe(
    "initializing the bootstrap guest rootfs of box itself, once in this process",
  );
  expect(b.heard).toEqual(a.heard);
  await bootstraps.get({}, a.reporter);
  expect(source.asked).toEqual(["bootstrap"]);
});

test("a failure is told to all who wait and is not remembered", async () => {
  const { source, bootstraps } = await makeBootstraps();
  source.failOnce("bootstrap");
  const { reporter } = hearing();
  const ends = await Promise.allSettled([
    bootstraps.get({}, reporter),
    bootstraps.get({}, reporter),
  ]);
  expect(ends.map(({ status }) => status)).toEqual(["rejected", "rejected"]);
  expect(source.asked).toEqual(["bootstrap"]);
  await expect(bootstraps.get({}, reporter)).resolves.toMatchObject({ type: "disk" });
  expect(source.asked).toEqual(["bootstrap", "bootstrap"]);
});

test("each image has an attempt of its own", async () => {
  const { source, bootstraps } = await makeBootstraps();
  const { reporter } = hearing();
  const requests = [{}, { reference: "debian" }, { reference: "debian", digest: "sha256:1" }, {}];
  await Promise.all(requests.map((request) => bootstraps.get(request, reporter)));
  expect(source.asked.sort()).toEqual(["bootstrap", "debian", "debian@sha256:1"]);
});

test("one caller who leaves does not stop the others", async () => {
  const { source, bootstraps } = await makeBootstraps();
  const gate = Promise.withResolvers<void>();
  source.gate = gate.promise;
  const controller = new AbortController();
  const leaving = bootstraps.get({}, hearing(controller.signal).reporter);
  const staying = bootstraps.get({}, hearing().reporter);
  controller.abort(new Error("left"));
  await expect(leaving).rejects.toThrow("left");
  gate.resolve();
  await expect(staying).resolves.toMatchObject({ environment: [["PATH", "/bin"]] });
});
