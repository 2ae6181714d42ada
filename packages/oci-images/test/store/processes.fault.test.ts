import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readdir, readFile, stat } from "node:fs/promises";
import type { ServerResponse } from "node:http";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { ImageStore } from "@box/oci-images";
import { type Descriptor, MemoryTarget } from "@box/oras";
import { drain, type ScriptedServer, scriptedServer } from "@box/test-support";
import { describe, expect, onTestFinished, test } from "vitest";
import { addImage, noise } from "../sample-image.ts";
import { temporaryFolder } from "../temporary-folder.ts";

const platform = { os: "linux", architecture: "amd64" };
const script = fileURLToPath(new URL("./pull-child.ts", import.meta.url));
const processes = 4;

interface Child {
  readonly process: ChildProcess;
  /** What it printed, when it has ended well. */
  readonly digest: Promise<string>;
}

function startPull(folder: string, reference: string): Child {
  const args = ["--conditions=@box/source", script, folder, reference];
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "pipe"] });
  onTestFinished(() => {
    child.kill("SIGKILL");
  });
  const ended = Promise.all([text(child.stdout), text(child.stderr), once(child, "close")]);
  const digest = ended.then(([stdout, stderr, [code]]) => {
    if (code === 0) return stdout.trim();
    throw new Error(`the child ended with ${code}: ${stderr}`);
  });
  digest.catch(() => {});
  return { process: child, digest };
}

interface Stage {
  readonly folder: string;
  readonly root: Descriptor;
  readonly server: ScriptedServer;
  readonly children: readonly Child[];
}

type SendLayer = (response: ServerResponse, bytes: Uint8Array, start: number) => void;

/**
 * Lets several processes pull an image of large layers into one store. No layer is served before every process has
 * asked for the manifest, so that none of them comes late.
 */
async function pullByAll(layers: number, sendLayer: SendLayer): Promise<Stage> {
  const target = new MemoryTarget();
  const tars = Array.from({ length: layers }, (_, number) => noise(1_500_000, number + 3));
  const root = await addImage(target, { tars, compress: (tar) => tar });
  await target.tag(root, "v1");
  const everyone = Promise.withResolvers<void>();
  const server = await scriptedServer(async (request, response) => {
    const reference = request.url?.split("/").at(-1) ?? "";
    const asked = server.seen.filter(({ path }) => path.endsWith("/v1"));
    if (asked.length === processes) everyone.resolve();
    const descriptor = await target.resolve(reference);
    const bytes = await drain(target.fetch(descriptor));
    if (bytes.byteLength < 1_000_000) {
      return response.writeHead(200, { "content-type": descriptor.mediaType }).end(bytes);
    }
    await everyone.promise;
    const start = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? "")?.[1] ?? 0);
    response.writeHead(start > 0 ? 206 : 200, {
      "content-length": bytes.byteLength - start,
      ...(start > 0
        ? { "content-range": `bytes ${start}-${bytes.byteLength - 1}/${bytes.byteLength}` }
        : {}),
    });
    return sendLayer(response, bytes, start);
  });
  const folder = join(await temporaryFolder(), "images");
  const reference = `${server.host}/app:v1`;
  const children = Array.from({ length: processes }, () => startPull(folder, reference));
  return { folder, root, server, children };
}

/** What was asked for each layer: the `Range` of each request. */
async function layerRequests({ folder, root, server }: Stage): Promise<(string | undefined)[][]> {
  const store = await ImageStore.open(folder, { platform });
  const image = await store.get(root.digest);
  expect(await store.verify()).toEqual([]);
  const left = await readdir(join(folder, "ingest"));
  expect(left.filter((name) => name.startsWith("sha256-"))).toEqual([]);
  return image.layers.map(({ descriptor }) =>
    server.seen
      .filter(({ path }) => path.endsWith(descriptor.digest))
      .map(({ headers }) => headers["range"] as string | undefined),
  );
}

/** Waits until a partial file has so many bytes. @returns The process that writes it. */
async function ownerOfPartial(folder: string, bytes: number): Promise<number> {
  const ingest = join(folder, "ingest");
  const namesIn = async (prefix: string, suffix: string): Promise<string[]> => {
    const names = await readdir(ingest).catch(() => []);
    return names.filter((name) => name.startsWith(prefix) && name.endsWith(suffix));
  };
  const sizes = async () =>
    Promise.all(
      (await namesIn("sha256-", "")).map(async (name) => (await stat(join(ingest, name))).size),
    );
  await expect.poll(sizes, { timeout: 30_000 }).toEqual([bytes]);
  const [holder = ""] = await namesIn("blob-", ".holder");
  return JSON.parse(await readFile(join(ingest, holder), "utf8")).pid as number;
}

describe("several processes that pull one image at once", () => {
  test("download each layer once, and all have the image", { timeout: 60_000 }, async () => {
    const stage = await pullByAll(2, (response, bytes) => response.end(bytes));
    const digests = await Promise.all(stage.children.map(({ digest }) => digest));
    expect(digests).toEqual(Array.from({ length: processes }, () => stage.root.digest));
    expect(await layerRequests(stage)).toEqual([[undefined], [undefined]]);
  });

  test("go on where one of them was killed", { timeout: 60_000 }, async () => {
    // The first reply stops in the middle and stays open.
    const stage = await pullByAll(1, (response, bytes, start) => {
      if (start === 0) response.write(bytes.subarray(0, 1_000_000));
      else response.end(bytes.subarray(start));
    });
    const owner = await ownerOfPartial(stage.folder, 1_000_000);
    const killed = stage.children.find(({ process: { pid } }) => pid === owner);
    killed?.process.kill("SIGKILL");
    await expect(killed?.digest).rejects.toThrow("ended with null");
    const others = stage.children.filter((child) => child !== killed);
    for (const { digest } of others) expect(await digest).toBe(stage.root.digest);
    expect(await layerRequests(stage)).toEqual([[undefined, "bytes=1000000-"]]);
  });
});
