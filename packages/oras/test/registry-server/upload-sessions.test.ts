import { readdir } from "node:fs/promises";
import { request } from "node:http";
import { connect } from "node:net";
import { join } from "node:path";
import { IoError } from "@box/io";
import { digestOf } from "@box/oras";
import {
  FolderRegistryStorage,
  MemoryRegistryStorage,
  type ServeRegistryOptions,
  serveRegistry,
} from "@box/oras/registry-server";
import { describe, expect, onTestFinished, test } from "vitest";
import { noise } from "../sample-image.ts";
import { temporaryFolder } from "../temporary-folder.ts";

async function serve(options: ServeRegistryOptions = {}) {
  const served = await serveRegistry(options);
  onTestFinished(() => served.close());
  const begin = () => fetch(`${served.origin}/v2/a/blobs/uploads/`, { method: "POST" });
  const locationOf = (response: Response) => `${served.origin}${response.headers.get("location")}`;
  return { served, begin, locationOf };
}

async function openFiles(folder: string): Promise<number> {
  const { readlink } = await import("node:fs/promises");
  const names = await readdir("/proc/self/fd");
  const links = await Promise.all(
    names.map((name) => readlink(`/proc/self/fd/${name}`).catch(String)),
  );
  return links.filter((link) => link.startsWith(join(folder, "uploads"))).length;
}

describe("uploads that nobody ends", () => {
  test("hold no file open", async () => {
    const folder = await temporaryFolder();
    const storage = await FolderRegistryStorage.open(folder, Date.now());
    const { begin, locationOf } = await serve({ storage });
    const locations: string[] = [];
    for (let count = 0; count < 20; count++) locations.push(locationOf(await begin()));
    const [first = ""] = locations;
    const bytes = noise(3000);
    const part = (from: number, to: number) => ({ method: "PATCH", body: bytes.slice(from, to) });
    await fetch(first, part(0, 1000));
    expect(await openFiles(folder)).toBe(0);
    await fetch(first, part(1000, 2000));
    const last = { method: "PUT", body: bytes.slice(2000) };
    expect((await fetch(`${first}?digest=${digestOf(bytes)}`, last)).status).toBe(201);
    expect(await openFiles(folder)).toBe(0);
  });

  test("are limited, and end after an hour", async () => {
    let nowMs = Date.now();
    const { begin, locationOf } = await serve({ maxUploads: 3, now: () => nowMs });
    const begun = await Promise.all(Array.from({ length: 5 }, begin));
    const statuses = begun.map(({ status }) => status).sort();
    expect(statuses).toEqual([202, 202, 202, 429, 429]);
    const refused = begun.find(({ status }) => status === 429);
    expect(refused?.headers.get("retry-after")).toBe("60");
    const [first = ""] = begun.filter(({ status }) => status === 202).map(locationOf);
    expect((await fetch(first, { method: "DELETE" })).status).toBe(204);
    const next = await begin();
    expect(next.status).toBe(202);
    nowMs += 3_700_000;
    expect((await begin()).status).toBe(202);
    expect((await fetch(locationOf(next))).status).toBe(404);
  });
});

test("an upload cannot be cancelled while a request writes to it", async () => {
  const { begin, locationOf } = await serve();
  const location = locationOf(await begin());
  const writing = request(location, {
    method: "PATCH",
    headers: { "transfer-encoding": "chunked" },
  });
  const status = new Promise((resolve) => {
    writing.on("response", (response) => resolve(response.resume().statusCode));
  });
  writing.write(noise(1000));
  let range = "";
  while (range !== "0-999") range = (await fetch(location)).headers.get("range") ?? "";
  expect((await fetch(location, { method: "DELETE" })).status).toBe(409);
  writing.end();
  expect(await status).toBe(202);
  expect((await fetch(location, { method: "DELETE" })).status).toBe(204);
});

test("an upload that the disk has no room for goes at once, and says so", async () => {
  const storage = new MemoryRegistryStorage();
  const start = storage.startUpload.bind(storage);
  const cancelled: string[] = [];
  const cancel = storage.cancelUpload.bind(storage);
  storage.startUpload = async (repository) => {
    const upload = await start(repository);
    upload.append = async () => {
      throw new IoError({ code: "IO_NO_SPACE", message: "the disk is full" });
    };
    return upload;
  };
  storage.cancelUpload = async (upload) => {
    cancelled.push(upload.id);
    await cancel(upload);
  };
  const { served } = await serve({ storage });
  const body = noise(1000);
  const url = `${served.origin}/v2/a/blobs/uploads/?digest=${digestOf(body)}`;
  const response = await fetch(url, { method: "POST", body });
  expect(response.status).toBe(507);
  expect(await response.text()).toContain("the registry's disk is full");
  expect(cancelled).toHaveLength(1);
});

test("a client that sends nothing more is let go", async () => {
  const { served, begin, locationOf } = await serve({ idleTimeoutMs: 100 });
  const { port, pathname } = new URL(locationOf(await begin()));
  const socket = connect(Number(port), "127.0.0.1");
  const closed = new Promise((resolve) => socket.on("close", resolve));
  socket.on("error", () => {});
  socket.write(
    `PATCH ${pathname} HTTP/1.1\r\nhost: ${served.host}\r\ncontent-length: 9\r\n\r\nabc`,
  );
  await closed;
  expect((await fetch(`${served.origin}${pathname}`)).headers.get("range")).toBe("0-2");
});
