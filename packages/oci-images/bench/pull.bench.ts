// Pulls an image of several hundred MB from Debian's docker-registry into a layout, beside skopeo copy from the same
// registry, in turns. Needs docker-registry and skopeo. Each pull is a process of its own that runs the built library, as
// users have it: from TypeScript sources the process is 40 to 50 MiB larger. Usage, after turbo run build --filter=@box/oci-images:
//   node --conditions=@box/source bench/pull.bench.ts [MiB of one layer] [layers] [rounds]
import { execFile, spawn } from "node:child_process";
import { createHash, randomFillSync } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { promisify } from "node:util";
import { gzipSync } from "node:zlib";
import { ImageStore } from "@box/oci-images";
import {
  bytesSource,
  describe,
  digestOf,
  mediaTypes,
  RegistryClient,
  RemoteRepository,
} from "@box/oras";

if (process.argv[2] === "child") {
  await measureOnce(process.argv[3] ?? "", process.argv[4] ?? "");
  process.exit(0);
}

const [layerMiB = 48, layerCount = 6, rounds = 3] = process.argv.slice(2).map(Number);
const folder = mkdtempSync(join(tmpdir(), "box-bench-"));
const say = (text: string): void => void process.stdout.write(`${text}\n`);
const run = promisify(execFile);

const host = `127.0.0.1:${await freePort()}`;
const config = {
  version: 0.1,
  log: { level: "error" },
  storage: { filesystem: { rootdirectory: join(folder, "registry") } },
  http: { addr: host },
};
writeFileSync(join(folder, "config.yml"), JSON.stringify(config));
const registry = spawn("docker-registry", ["serve", join(folder, "config.yml")], {
  stdio: "ignore",
});
try {
  await untilUp(host);
  await pushImage();
  for (let round = 0; round < rounds; round++) {
    const into = join(folder, `ours-${round}`);
    const began = performance.now();
    const node = [import.meta.filename, "child"];
    const { stdout } = await run(process.execPath, [...node, `${host}/bench:v1`, into]);
    const wholeMs = performance.now() - began;
    const ours = JSON.parse(stdout);
    say(
      `ours:   ${ours.wallMs.toFixed(0)} ms (with Node's start and two warm pulls ${wholeMs.toFixed(0)} ms, process CPU ${ours.cpuMs.toFixed(0)} ms), ` +
        `peak ${mib(ours.peakBytes)} (${mib(ours.loadedBytes)} before the pull), ` +
        `event loop p99 ${ours.delayP99Ms.toFixed(1)} ms (of the thread's CPU time: p99 ${ours.tickP99Ms.toFixed(1)} ms, ` +
        `longest ${ours.tickMaxMs.toFixed(1)} ms), warm pull by digest ${ours.warmMs.toFixed(1)} ms ` +
        `(the first, which names the image: ${ours.namingMs.toFixed(1)} ms)`,
    );
    const theirs = await skopeo(join(folder, `theirs-${round}`));
    say(
      `skopeo: ${theirs.wallMs.toFixed(0)} ms with its start (process CPU at least ${theirs.cpuMs} ms), peak ${mib(theirs.peakBytes)}`,
    );
    rmSync(into, { recursive: true });
    rmSync(join(folder, `theirs-${round}`), { recursive: true });
  }
} finally {
  registry.kill("SIGKILL");
  rmSync(folder, { recursive: true, force: true });
}

/**
 * Layers whose content does not compress: what is measured is the transport, the hash and the disk. They are gzip all the
 * same, because skopeo would compress others on their way.
 */
async function pushImage(): Promise<void> {
  await using client = new RegistryClient();
  const repository = new RemoteRepository(client, host, "bench");
  const layers = [];
  const diffIds: string[] = [];
  for (let index = 0; index < layerCount; index++) {
    const content = randomFillSync(new Uint8Array(layerMiB * 1024 * 1024));
    const bytes = new Uint8Array(gzipSync(content, { level: 1 }));
    const descriptor = describe(mediaTypes.ociLayerGzip, bytes);
    await repository.push(descriptor, bytesSource(bytes));
    layers.push(descriptor);
    diffIds.push(digestOf(content));
  }
  const push = async (mediaType: string, value: unknown) => {
    const bytes = new TextEncoder().encode(JSON.stringify(value));
    const descriptor = describe(mediaType, bytes);
    await repository.push(descriptor, bytesSource(bytes));
    return descriptor;
  };
  const image = await push(mediaTypes.ociConfig, {
    architecture: process.arch === "x64" ? "amd64" : process.arch,
    os: "linux",
    rootfs: { type: "layers", diff_ids: diffIds },
  });
  const manifest = { schemaVersion: 2, mediaType: mediaTypes.ociManifest, config: image, layers };
  await repository.tag(await push(mediaTypes.ociManifest, manifest), "v1");
  const check = createHash("sha256").update(JSON.stringify(manifest)).digest("hex").slice(0, 12);
  say(`image ${check}: ${layerCount} layers of ${layerMiB} MiB, registry ${host}`);
}

async function skopeo(into: string): Promise<{ wallMs: number; cpuMs: number; peakBytes: number }> {
  const start = performance.now();
  const source = `docker://${host}/bench:v1`;
  const words = ["--insecure-policy", "copy", "--quiet", "--src-tls-verify=false", source];
  const child = spawn("skopeo", [...words, `oci:${into}:v1`], { stdio: "ignore" });
  let cpuMs = 0;
  let peakBytes = 0;
  const look = setInterval(() => {
    try {
      const stat = readFileSync(`/proc/${child.pid}/stat`, "utf8").split(") ")[1]?.split(" ") ?? [];
      cpuMs = (Number(stat[11]) + Number(stat[12])) * 10;
      // A process that has just ended has none.
      peakBytes = Math.max(peakBytes, peakOf(String(child.pid)));
    } catch {
      // It has ended.
    }
  }, 10);
  const status = await new Promise((done) => child.on("close", done));
  clearInterval(look);
  if (status !== 0) throw new Error(`skopeo exited with ${status}`);
  return { wallMs: performance.now() - start, cpuMs, peakBytes };
}

/** A process's peak of resident memory. What it is asked for by getrusage holds that of its parent too, from the fork. */
function peakOf(pid: string): number {
  const peak = /VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"));
  return Number(peak?.[1] ?? 0) * 1024;
}

async function untilUp(address: string): Promise<void> {
  for (let attempt = 0; attempt < 200; attempt++) {
    const isUp = await fetch(`http://${address}/v2/`).then(
      () => true,
      () => false,
    );
    if (isUp) return;
    await new Promise((done) => setTimeout(done, 25));
  }
  throw new Error("docker-registry did not start");
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  const address = server.address();
  await new Promise((done) => server.close(done));
  return typeof address === "object" && address !== null ? address.port : 0;
}

function mib(bytes: number): string {
  return `${(bytes / 1024 / 1024).toFixed(0)} MiB`;
}

/** One pull, measured from inside its process. */
async function measureOnce(reference: string, directory: string): Promise<void> {
  const delay = monitorEventLoopDelay({ resolution: 5 });
  const loadedBytes = peakOf("self");
  delay.enable();
  const stopTicks = watchTicks();
  const start = performance.now();
  const store = await ImageStore.open(directory);
  const image = await store.pull(reference);
  const wallMs = performance.now() - start;
  delay.disable();
  const ticks = stopTicks();
  const pinned = `${reference.replace(/:[^:/]+$/, "")}@${image.digest}`;
  const timed = async () => {
    const began = performance.now();
    await store.pull(pinned);
    return performance.now() - began;
  };
  const namingMs = await timed();
  const warmMs = await timed();
  const usage = process.resourceUsage();
  const result = {
    wallMs,
    cpuMs: (usage.userCPUTime + usage.systemCPUTime) / 1000,
    loadedBytes,
    peakBytes: peakOf("self"),
    delayP99Ms: delay.percentile(99) / 1e6,
    tickP99Ms: ticks[Math.floor(ticks.length / 100)] ?? 0,
    tickMaxMs: ticks[0] ?? 0,
    namingMs,
    warmMs,
    layers: image.layers.length,
  };
  process.stdout.write(`${JSON.stringify(result)}\n`);
}

/**
 * Watches how much CPU time the thread takes between two looks of a timer: how long it keeps others waiting, whatever else
 * the machine does. @returns Ends it; gives the times in milliseconds, the longest first.
 */
function watchTicks(): () => readonly number[] {
  const ticks: number[] = [];
  const used = (): number => {
    const { user, system } = process.threadCpuUsage();
    return (user + system) / 1000;
  };
  let last = used();
  const timer = setInterval(() => {
    const now = used();
    ticks.push(now - last);
    last = now;
  }, 1);
  return () => {
    clearInterval(timer);
    return ticks.sort((a, b) => b - a);
  };
}
