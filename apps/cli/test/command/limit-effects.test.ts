import { mkdir, writeFile } from "node:fs/promises";
import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer } from "node:net";
import { join } from "node:path";
import { gzipSync, zstdCompressSync } from "node:zlib";
import {
  bytesSource,
  copy,
  type Descriptor,
  describe as describeContent,
  digestOf,
  MemoryTarget,
  mediaTypes,
  OciLayout,
} from "@box/oras";
import type { FileEvent, FileRecord } from "@box/runtime";
import { drain, type ScriptedServer, scriptedServer } from "@box/test-support";
import { describe, expect, onTestFinished, test } from "vitest";
import { limitNames, parseLimits } from "../../src/command/limits.ts";
import { writeHostFiles } from "../../src/files/write-host-files.ts";
import { createTestHome } from "../support/boxed-home.ts";
import { type BoxRun, runBoxHere } from "../support/run-box.ts";

const platform = { os: "linux", architecture: process.arch === "x64" ? "amd64" : process.arch };

async function put(target: MemoryTarget, mediaType: string, value: unknown): Promise<Descriptor> {
  const bytes = value instanceof Uint8Array ? value : Buffer.from(JSON.stringify(value));
  const descriptor = describeContent(mediaType, bytes);
  await target.push(descriptor, bytesSource(bytes));
  return descriptor;
}

type Compress = (tar: Uint8Array) => Uint8Array;

/** An image whose layers expand eight hundred times. */
async function putImage(
  target: MemoryTarget,
  layerCount: number,
  compress: Compress = gzipSync,
): Promise<Descriptor> {
  const tars = Array.from({ length: layerCount }, (_, byte) => Buffer.alloc(100_000, byte));
  const layers: Descriptor[] = [];
  for (const tar of tars) layers.push(await put(target, mediaTypes.ociLayerGzip, compress(tar)));
  const rootfs = { type: "layers", diff_ids: tars.map((tar) => digestOf(tar)) };
  const config = await put(target, mediaTypes.ociConfig, { ...platform, rootfs });
  const manifest = { schemaVersion: 2, mediaType: mediaTypes.ociManifest, config, layers };
  return put(target, mediaTypes.ociManifest, manifest);
}

const putIndex = (target: MemoryTarget, manifests: readonly Descriptor[]): Promise<Descriptor> =>
  put(target, mediaTypes.ociIndex, {
    schemaVersion: 2,
    mediaType: mediaTypes.ociIndex,
    manifests,
  });

type Make = (target: MemoryTarget) => Promise<Descriptor>;
const image =
  (layerCount: number): Make =>
  (target) =>
    putImage(target, layerCount);

/** A registry with one image, `app:v1`. */
async function registryWith(
  make: Make,
  before: (request: IncomingMessage) => unknown = () => {},
): Promise<ScriptedServer> {
  const target = new MemoryTarget();
  await target.tag(await make(target), "v1");
  return scriptedServer(async (request, response) => {
    await before(request);
    const descriptor = await target.resolve(request.url?.split("/").at(-1) ?? "");
    response.writeHead(200, { "content-type": descriptor.mediaType });
    response.end(await drain(target.fetch(descriptor)));
  });
}

interface Bench {
  /** Runs box with limits, in a home of its own. */
  box(argv: readonly string[], ...limits: readonly string[]): Promise<BoxRun>;
  readonly folder: string;
}

async function bench(): Promise<Bench> {
  const { home, folder } = await createTestHome();
  const env = { DOCKER_CONFIG: folder, XDG_CONFIG_HOME: folder };
  const box = (argv: readonly string[], ...limits: readonly string[]) => {
    const flags = limits.flatMap((limit) => ["--limit", limit]);
    return runBoxHere(["--home", home, ...argv, ...flags], { cwd: folder, env });
  };
  return { box, folder };
}

/** The code that a run failed with. */
function codeOf({ stderr }: BoxRun): string | undefined {
  return /^error\[(\w+)\]/m.exec(stderr)?.[1];
}

/** Pulls an image with one limit after the other, each time into a new home. */
async function pullWith(make: Make, ...limits: readonly string[]): Promise<(string | undefined)[]> {
  const { host } = await registryWith(make);
  const codes: (string | undefined)[] = [];
  for (const limit of limits) {
    codes.push(codeOf(await (await bench()).box(["pull", `${host}/app:v1`], limit)));
  }
  return codes;
}

/** Pulls an image and unpacks its layers with limits. @returns What is found. */
async function unpackWith(...limits: readonly string[]): Promise<string[]> {
  return unpack(gzipSync, ...limits);
}

async function unpack(compress: Compress, ...limits: readonly string[]): Promise<string[]> {
  const { host } = await registryWith((target) => putImage(target, 1, compress));
  const { box } = await bench();
  await box(["pull", `${host}/app:v1`]);
  const { stdout } = await box(["verify", "--deep", "--format", "json"], ...limits);
  return JSON.parse(stdout).findings.map(({ code }: { code: string }) => code);
}

/** Pulls from a registry that always answers the same, until the client gives up. */
async function giveUp(
  reply: (response: ServerResponse, request: IncomingMessage) => unknown,
  ...limits: readonly string[]
): Promise<{ readonly run: BoxRun; readonly tries: number; readonly code: string | undefined }> {
  const { host, seen } = await scriptedServer((request, response) => reply(response, request));
  const { box } = await bench();
  const run = await box(["pull", `${host}/app:v1`], ...limits);
  return { run, tries: seen.length, code: codeOf(run) };
}

const unavailable = (response: ServerResponse) => response.writeHead(503).end();
const triesWith = async (...limits: readonly string[]): Promise<number> =>
  (await giveUp(unavailable, ...limits)).tries;

/** What each limit does, and that it does not when it is larger. */
const effects: Readonly<Record<string, () => Promise<void>>> = {
  layers: async () => {
    const codes = await pullWith(image(3), "layers=2", "layers=3");
    expect(codes).toEqual(["OCI_TOO_MANY_LAYERS", undefined]);
  },
  "index-depth": async () => {
    const nested: Make = async (target) =>
      putIndex(target, [await putIndex(target, [await putImage(target, 1)])]);
    const codes = await pullWith(nested, "index-depth=1", "index-depth=2");
    expect(codes).toEqual(["OCI_INDEX_TOO_DEEP", undefined]);
  },
  candidates: async () => {
    const wide: Make = async (target) => {
      const images = [1, 2, 3].map((count) => putImage(target, count));
      return putIndex(target, await Promise.all(images));
    };
    // The index itself is one of them.
    const codes = await pullWith(wide, "candidates=3", "candidates=4");
    expect(codes).toEqual(["OCI_TOO_LARGE", undefined]);
  },
  "index-size": async () => {
    const { box, folder } = await bench();
    const pull = ["pull", `oci:${join(folder, "layout")}:latest`];
    expect(codeOf(await box(pull, "index-size=10"))).toBe("OCI_TOO_LARGE");
    expect(codeOf(await box(pull, "index-size=10KiB"))).toBeUndefined();
    const other = ["import", join(folder, "layout"), "--tag", "app:v1"];
    expect(codeOf(await box(other, "index-size=10"))).toBe("OCI_TOO_LARGE");
    expect(codeOf(await box(other, "index-size=10KiB"))).toBeUndefined();
  },
  "manifest-size": async () => {
    const codes = await pullWith(image(1), "manifest-size=100", "manifest-size=10KiB");
    expect(codes).toEqual(["OCI_TOO_LARGE", undefined]);
    const { box, folder } = await bench();
    const target = new MemoryTarget();
    await target.tag(await putImage(target, 1), "v1");
    await copy(target, "v1", await OciLayout.ensure(join(folder, "other")));
    expect(codeOf(await box(["pull", `oci:${folder}/other:v1`], "manifest-size=100"))).toBe(
      "OCI_TOO_LARGE",
    );
  },
  "layer-size": async () => {
    expect(await unpackWith("layer-size=99999")).toEqual(["OCI_LAYER_TOO_LARGE"]);
    expect(await unpackWith("layer-size=100000")).toEqual([]);
  },
  "layer-ratio": async () => {
    const from = "layer-ratio-from=1KiB";
    expect(await unpackWith(from, "layer-ratio=100")).toEqual(["OCI_LAYER_TOO_LARGE"]);
    expect(await unpackWith(from, "layer-ratio=100000")).toEqual([]);
  },
  "layer-ratio-from": async () => {
    const ratio = "layer-ratio=100";
    expect(await unpackWith(ratio, "layer-ratio-from=1KiB")).toEqual(["OCI_LAYER_TOO_LARGE"]);
    expect(await unpackWith(ratio, "layer-ratio-from=1MiB")).toEqual([]);
  },
  "layer-frames": async () => {
    const inTenFrames: Compress = (tar) => {
      const parts = Array.from({ length: 10 }, (_, at) =>
        tar.subarray(at * 10_000, (at + 1) * 10_000),
      );
      return Buffer.concat(parts.map((part) => zstdCompressSync(part)));
    };
    expect(await unpack(inTenFrames, "layer-frames=9")).toEqual(["OCI_LAYER_TOO_LARGE"]);
    expect(await unpack(inTenFrames, "layer-frames=10")).toEqual([]);
  },
  "layer-window": async () => {
    const wide: Compress = (tar) => {
      const compressed = zstdCompressSync(tar);
      // A content size of four bytes and no window: its frame is its window. Then one of 64 MiB and no size.
      const blocks = compressed.subarray(4 + 1 + 4);
      return Buffer.concat([compressed.subarray(0, 4), Buffer.from([0, 16 << 3]), blocks]);
    };
    expect(await unpack(wide)).toEqual(["OCI_LAYER_TOO_LARGE"]);
    expect(await unpack(wide, "layer-window=64MiB")).toEqual([]);
  },
  "token-size": async () => {
    const token = JSON.stringify({ token: "x".repeat(1000) });
    const reply = (response: ServerResponse, { url = "", headers }: IncomingMessage) => {
      const realm = `Bearer realm="http://${headers.host}/token"`;
      if (url.startsWith("/token")) return response.writeHead(200).end(token);
      if (headers.authorization !== undefined) return response.writeHead(404).end();
      return response.writeHead(401, { "www-authenticate": realm }).end();
    };
    expect((await giveUp(reply, "token-size=1000")).code).toBe("OCI_TOO_LARGE");
    expect((await giveUp(reply, "token-size=2000")).code).toBe("OCI_NOT_FOUND");
  },
  "error-size": async () => {
    const errors = [{ code: "NAME_UNKNOWN", message: "x".repeat(200) }];
    const reply = (response: ServerResponse) =>
      response.writeHead(404).end(JSON.stringify({ errors }));
    for (const [limit, isShown] of [
      ["error-size=100", false],
      ["error-size=1KiB", true],
    ] as const) {
      const { run, code } = await giveUp(reply, limit);
      expect(code).toBe("OCI_NOT_FOUND");
      expect(run.stderr.includes("NAME_UNKNOWN")).toBe(isShown);
    }
  },
  "page-size": async () => {
    const { host } = await scriptedServer((_request, response) => response.end('{"tags":["a"]}'));
    const { box } = await bench();
    const list = ["artifact", "ls", `${host}/app`];
    expect(codeOf(await box(list, "page-size=10"))).toBe("OCI_TOO_LARGE");
    expect((await box(list, "page-size=20")).stdout).toBe("a\n");
  },
  pages: async () => {
    const { host } = await scriptedServer(({ url = "" }, response) => {
      const page = Number(new URL(url, "http://x.invalid").searchParams.get("page") ?? 1);
      const link = { link: `</v2/app/tags/list?page=${page + 1}>; rel="next"` };
      response.writeHead(200, page < 3 ? link : {}).end(`{"tags":["t${page}"]}`);
    });
    const { box } = await bench();
    const list = ["artifact", "ls", `${host}/app`];
    expect(codeOf(await box(list, "pages=2"))).toBe("ORAS_BAD_RESPONSE");
    expect((await box(list, "pages=3")).stdout).toBe("t1\nt2\nt3\n");
  },
  tries: async () => {
    const { run, tries, code } = await giveUp(unavailable, "tries=3", "retry-wait=1ms");
    expect({ code, tries, exitCode: run.exitCode }).toEqual({
      code: "ORAS_HTTP_STATUS",
      tries: 3,
      exitCode: 7,
    });
    expect(await triesWith("tries=1")).toBe(1);
  },
  // A wait that would take more than the time that is left is not begun.
  "retry-wait": async () => {
    expect(await triesWith("tries=3", "retry-time=5ms", "retry-wait=1ms")).toBe(3);
    expect(await triesWith("tries=3", "retry-time=5ms", "retry-wait=1h")).toBe(1);
  },
  "longest-wait": async () => {
    const rest = ["tries=3", "retry-time=5ms", "retry-wait=1h"];
    expect(await triesWith(...rest, "longest-wait=1ms")).toBe(3);
    expect(await triesWith(...rest, "longest-wait=1h")).toBe(1);
  },
  "retry-time": async () => {
    expect(await triesWith("tries=2", "retry-wait=1ms", "retry-time=1h")).toBe(2);
    const wait = ["retry-wait=30s", "longest-wait=30s"];
    expect(await triesWith("tries=2", ...wait, "retry-time=1ms")).toBe(1);
  },
  "retry-after": async () => {
    const reply = (response: ServerResponse) =>
      response.writeHead(429, { "retry-after": "1" }).end();
    const refused = await giveUp(reply, "retry-after=999ms");
    expect(refused).toMatchObject({ code: "ORAS_RATE_LIMITED", tries: 1 });
    expect((await giveUp(reply, "tries=2", "retry-wait=1ms", "retry-after=1s")).tries).toBe(2);
  },
  "connect-time": async () => {
    // It takes connections, and never speaks TLS.
    const silent = createServer();
    await new Promise<void>((done) => silent.listen(0, "127.0.0.1", done));
    onTestFinished(() => {
      silent.close();
    });
    const { port } = silent.address() as { readonly port: number };
    const { box, folder } = await bench();
    const hosts = { [`127.0.0.1:${port}`]: { scheme: "https" } };
    await mkdir(join(folder, "box"));
    await writeFile(join(folder, "box", "registries.json"), JSON.stringify({ hosts }));
    const run = await box(["pull", `127.0.0.1:${port}/app:v1`], "connect-time=50ms", "tries=1");
    expect(codeOf(run)).toBe("ORAS_NETWORK");
    expect(run.stderr).toContain("timeout: 50ms");
  },
  "header-time": async () => {
    const { run, tries, code } = await giveUp(() => {}, "header-time=50ms", "tries=1");
    expect({ code, tries, exitCode: run.exitCode }).toEqual({
      code: "ORAS_STALLED",
      tries: 1,
      exitCode: 7,
    });
  },
  "idle-time": async () => {
    const reply = (response: ServerResponse) => {
      response.writeHead(200, { "content-length": "10" });
      response.write("{");
    };
    expect(await giveUp(reply, "idle-time=50ms", "tries=1")).toMatchObject({
      code: "ORAS_STALLED",
      tries: 1,
    });
  },
  connections: async () => {
    for (const [limit, expected] of [
      ["connections=1", 1],
      ["connections=3", 3],
    ] as const) {
      const sockets = new Set<unknown>();
      const waiting: (() => void)[] = [];
      let blobs = 0;
      const { host } = await registryWith(image(6), async ({ socket, url = "" }) => {
        sockets.add(socket);
        if (url.includes("/blobs/")) blobs++;
        // The first blob is the config, which comes alone.
        if (blobs < 2 || sockets.size >= expected) {
          for (const go of waiting.splice(0)) go();
          return;
        }
        // Layers wait until there are as many connections as there may be.
        await new Promise<void>((done) => waiting.push(done));
      });
      const { box } = await bench();
      expect((await box(["pull", `${host}/app:v1`], limit)).exitCode).toBe(0);
      expect(sockets.size).toBe(expected);
    }
  },
  redirects: async () => {
    const reply = (response: ServerResponse, { url }: IncomingMessage) =>
      response.writeHead(307, { location: `${url}x` }).end();
    expect(await giveUp(reply, "redirects=2")).toMatchObject({
      code: "ORAS_REDIRECT_REFUSED",
      tries: 3,
    });
  },
  "copy-entries": () => copyOut("copy-entries=1"),
  "copy-size": () => copyOut("copy-size=5B"),
};

/** Two files come out of a box. */
async function copyOut(limit: string): Promise<void> {
  const { folder } = await createTestHome();
  const files = async function* (): AsyncGenerator<FileEvent> {
    for (const name of ["a", "b"]) {
      yield { type: "record", record: { ...sentFile, path: Buffer.from(name) } };
      yield { type: "content", bytes: Buffer.from("abc") };
    }
  };
  const write = (texts: readonly string[]) => {
    const limits = { maxEntries: 2, maxBytes: 6, ...parseLimits(texts).copies };
    const { signal } = new AbortController();
    return writeHostFiles(folder, files(), { keepsOwners: false, limits, signal });
  };
  await write([]);
  await expect(write([limit])).rejects.toMatchObject({ code: "CLI_COPY_LIMIT", kind: "limit" });
}

const sentFile: FileRecord = {
  ...{ kind: "file", mode: 0o644, uid: 0, gid: 0, mtimeNs: 0n, sizeBytes: 3 },
  ...{ path: new Uint8Array(0), linkTarget: new Uint8Array(0) },
};

describe("each limit has its effect:", () => {
  test.each(Object.entries(effects))("%s", { timeout: 30_000 }, async (_name, effect) => effect());

  test("and none is left out", () => {
    expect(Object.keys(effects).sort()).toEqual([...limitNames].sort());
  });
});
