import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseListenAddress, type RunningServer, type ServeOptions, serve } from "@box/server";
import { onTestFinished } from "vitest";
import { FakeBoxes } from "./fake-boxes.ts";

/** A server of one test, with boxes that do what the test says. */
export interface TestServer {
  readonly url: string;
  readonly boxes: FakeBoxes;
  readonly server: RunningServer;
  readonly folder: string;
  readonly log: string[];
}

/** Starts a server on a unix socket, or where the test says; it ends with the test. */
export async function startServer(
  options: Partial<Omit<ServeOptions, "listen">> & { listen?: string; folder?: string } = {},
): Promise<TestServer> {
  const { listen, folder = await temporaryFolder(), ...rest } = options;
  const boxes = new FakeBoxes();
  const log: string[] = [];
  const server = await serve({
    boxes,
    version: "1.2.3",
    log: (line) => log.push(line),
    ...rest,
    listen: parseListenAddress(listen ?? `unix://${join(folder, "s.sock")}`),
  });
  onTestFinished(() => server.stop({ graceMs: 0 }));
  return { url: server.url, boxes, server, folder, log };
}

/** A folder of one test. */
export async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "box-srv-"));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return folder;
}
