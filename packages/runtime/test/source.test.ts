import { rm } from "node:fs/promises";
import { join } from "node:path";
import { serveRegistry } from "@box/oras/registry-server";
import type { Reporter } from "@box/runtime";
import { Runtime } from "@box/runtime";
import { pushSampleImage, writeSampleLayout } from "@box/sample-image";
import { describe, expect, onTestFinished, test } from "vitest";
import { limitProgress } from "../src/source/limit-progress.ts";
import { reportBase } from "../src/source/report-base.ts";
import { StoreImages } from "../src/source/store-images.ts";
import { temporaryFolder } from "./test-home.ts";

function hearing() {
  const heard: unknown[] = [];
  const reporter: Reporter = {
    signal: new AbortController().signal,
    progress: (event) => heard.push(["progress", event]),
    info: (...args) => heard.push(["info", ...args]),
    warn: (event) => heard.push(["warn", event]),
    cached: (...args) => heard.push(["cached", ...args]),
  };
  return { heard, reporter };
}

describe("progress", () => {
  test("is told ten times a second for each item at most, and always when it is done", () => {
    const { heard, reporter } = hearing();
    let nowMs = 0;
    const clock = { now: () => 0, monotonicMs: () => nowMs, after: () => () => {} };
    const limited = limitProgress(reporter, clock);
    for (nowMs = 0; nowMs <= 250; nowMs += 10) {
      limited.progress({ done: nowMs, total: 250, unit: "bytes", item: "a" });
      limited.progress({ done: nowMs, unit: "bytes" });
    }
    const done = (item?: string) =>
      heard.flatMap((entry) => {
        const [, event] = entry as [string, { done: number; item?: string }];
        return event.item === item ? [event.done] : [];
      });
    expect(done("a")).toEqual([0, 100, 200, 250]);
    expect(done()).toEqual([0, 100, 200]);
  });

  test("leaves everything else as it is", () => {
    const { heard, reporter } = hearing();
    const clock = { now: () => 0, monotonicMs: () => 0, after: () => () => {} };
    const limited = limitProgress(reporter, clock);
    limited.info("a", { b: 1 });
    limited.warn({ message: "c" });
    limited.cached("d");
    expect(heard).toEqual([
      ["info", "a", { b: 1 }],
      ["warn", { message: "c" }],
      ["cached", "d", undefined],
    ]);
    expect(limited.signal).toBe(reporter.signal);
  });
});

test("what happens to a base is told as events of the task", () => {
  const { heard, reporter } = hearing();
  const tell = reportBase(reporter);
  const event = { type: "base", level: "info", key: "k", message: "m" } as const;
  tell({ ...event, name: "base.cached" });
  tell({ ...event, name: "base.building" });
  tell({ ...event, name: "base.progress", progress: { stage: "merge", done: 1, total: 2 } });
  tell({ ...event, name: "base.progress", progress: { stage: "write", done: 1, total: 2 } });
  tell({ ...event, name: "base.warning", level: "warning", code: "C" });
  tell({ ...event, name: "base.warning", level: "warning" });
  expect(heard).toEqual([
    ["cached", "m", { key: "k" }],
    ["info", "m", { key: "k" }],
    ["progress", { done: 1, total: 2, unit: "layers", item: "base.merge" }],
    ["progress", { done: 1, total: 2, unit: "bytes", item: "base.write" }],
    ["warn", { code: "C", message: "m", details: { key: "k" } }],
    ["warn", { message: "m", details: { key: "k" } }],
  ]);
});

describe("an image by its digest", () => {
  test("is fetched again from its registry when the store has lost it", async () => {
    const registry = await serveRegistry();
    onTestFinished(() => registry.close());
    await pushSampleImage(registry.origin, "sample/hello", "v1");
    const folder = await temporaryFolder();
    const reference = `${registry.host}/sample/hello:v1`;
    const options = { insecureHosts: [registry.host], credentials: async () => undefined };
    const { reporter } = hearing();
    const first = await new StoreImages(join(folder, "a"), options).ensureImage(
      { reference, policy: "always" },
      reporter,
    );
    const second = await new StoreImages(join(folder, "b"), options).ensureImage(
      { reference, digest: first.digest },
      reporter,
    );
    expect(second.digest).toBe(first.digest);
    expect(second.config).toEqual(first.config);
  });

  test("is refused when its reference names another one by now", async () => {
    const folder = await temporaryFolder();
    await writeSampleLayout(join(folder, "layout"), "v1");
    const images = new StoreImages(join(folder, "store"), {});
    const { reporter } = hearing();
    const digest = `sha256:${"0".repeat(64)}`;
    await expect(
      images.ensureImage({ reference: `oci:${join(folder, "layout")}:v1`, digest }, reporter),
    ).rejects.toMatchObject({ code: "BOX_IMAGE_CHANGED", kind: "conflict" });
  });

  test("is told as it is when the store cannot be read", async () => {
    const folder = await temporaryFolder();
    const images = new StoreImages(join(folder, "store"), {});
    const store = await images.store();
    await rm(join(store.layout.directory, "index.json"));
    const { reporter } = hearing();
    const digest = `sha256:${"0".repeat(64)}`;
    await expect(
      images.ensureImage({ reference: "127.0.0.1:1/a:b", digest }, reporter),
    ).rejects.toMatchObject({ code: expect.stringMatching(/^(OCI|IO)_/) });
  });
});

test("relative references mean the same from every folder once they are named", async () => {
  const images = new StoreImages(await temporaryFolder(), {});
  expect(await images.nameOf("debian")).toBe("docker.io/library/debian:latest");
  expect(await images.nameOf("oci:some/layout:v1")).toBe(
    `oci:${join(process.cwd(), "some/layout")}:v1`,
  );
});

test("the home's image store is the one that the runtime pulls into", async () => {
  const folder = await temporaryFolder();
  await writeSampleLayout(join(folder, "layout"), "v1");
  await using runtime = await Runtime.open({ home: join(folder, "home") });
  await runtime.boxes.create({ image: `oci:${join(folder, "layout")}:v1`, name: "web" });
  const store = await runtime.imageStore();
  expect(store.layout.directory).toBe(runtime.home.images);
  expect((await store.list()).map(({ reference }) => reference)).toEqual([
    `oci:${join(folder, "layout")}:v1`,
  ]);
});
