// Pulls an image of several hundred MB from Debian's docker-registry into a layout, beside skopeo copy from the same
// registry, in turns. Needs docker-registry and skopeo. Each pull is a process of its own that runs the built library, as
// users have it: from TypeScript sources the process is 40 to 50 MiB larger. After turbo run build --filter=@box/oci-images...:
//   `--rounds 11 --layers 6 --mib 48`, or `--layout DIR:TAG` for an image that is there.
import { execFile, spawn } from "node:child_process";
import { createHash, randomFillSync } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { parseArgs, promisify } from "node:util";
import { gzipSync } from "node:zlib";
import { ImageStore } from "@box/oci-images";
import {
  bytesSource,
  copy,
  describe,
  digestOf,
  mediaTypes,
  OciLayout,
  RegistryClient,
  RemoteRepository,
} from "@box/oras";

if (process.argv[2] === "child") {
  await measureOnce(process.argv[3] ?? "", process.argv[4] ?? "");
  process.exit(0);
}

const text = { type: "string" } as const;
const { values } = parseArgs({
  options: { rounds: text, layers: text, mib: text, layout: text },
  strict: false,
});
const rounds = Number(values["rounds"] ?? 11);
const layerCount = Number(values["layers"] ?? 6);
const layerMiB = Number(values["mib"] ?? 48);
const layout = String(values["layout"] ?? "");
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
  await (layout === "" ? pushImage() : pushLayout(layout));
  const runs = { ours: [] as Ours[], skopeo: [] as Theirs[] };
  // Whoever comes second finds the registry's files in the memory in any case; the first round is for that, and to warm up.
  for (let round = 0; round <= rounds; round++) {
    const pulls = [
      async () => runs.ours.push(await ours(join(folder, "ours"))),
      async () => runs.skopeo.push(await skopeo(join(folder, "theirs"))),
    ];
    for (const pull of round % 2 === 0 ? pulls : pulls.toReversed()) await pull();
    if (round === 0) Object.values(runs).map((list) => list.pop());
  }
  report(runs.ours, runs.skopeo);
} finally {
  registry.kill("SIGKILL");
  rmSync(folder, { recursive: true, force: true });
}

interface Theirs {
  readonly wallMs: number;
  readonly cpuMs: number;
  readonly peakBytes: number;
}

interface Ours extends Theirs {
  readonly wholeMs: number;
  readonly loadedBytes: number;
  readonly delayP99Ms: number;
  readonly tickP99Ms: number;
  readonly tickMaxMs: number;
  readonly namingMs: number;
  readonly warmMs: number;
}

function report(ours: readonly Ours[], theirs: readonly Theirs[]): void {
  const middle = <K extends string>(runs: readonly Readonly<Record<K, number>>[], key: K): number =>
    median(runs.map((run) => run[key]));
  const most = (runs: readonly Theirs[]): string =>
    mib(Math.max(...runs.map(({ peakBytes }) => peakBytes)));
  const all = (runs: readonly Theirs[]): string =>
    runs.map(({ wallMs }) => wallMs.toFixed(0)).join(" ");
  const ms = (value: number): string => `${value.toFixed(1)} ms`;
  const verdict = (isMet: boolean): string => (isMet ? "met" : "MISSED");
  say(`ours, ms:   ${all(ours)}`);
  say(`skopeo, ms: ${all(theirs)}`);
  const [us, them] = [middle(ours, "wallMs"), middle(theirs, "wallMs")];
  const share = (value: number): string => (value / them).toFixed(2);
  const whole = middle(ours, "wholeMs");
  say(
    `medians of ${ours.length}: ours ${ms(us)}, skopeo ${ms(them)} with its start: ${share(us)} of it (<= 1.00: ${verdict(us <= them)}); ` +
      `with Node's start and two warm pulls ${ms(whole)}, ${share(whole)} of it`,
  );
  const isSmall = ours.every(({ peakBytes }) => peakBytes <= 150 * 2 ** 20);
  say(
    `process CPU: ours ${ms(middle(ours, "cpuMs"))}, skopeo at least ${ms(middle(theirs, "cpuMs"))}; ` +
      `peak: ours ${most(ours)} (<= 150 MiB: ${verdict(isSmall)}; before the pull ${mib(middle(ours, "loadedBytes"))}), skopeo ${most(theirs)}`,
  );
  const delay = middle(ours, "delayP99Ms");
  say(
    `event loop delay p99 ${ms(delay)} (<= 50 ms: ${verdict(delay <= 50)}), of the thread's CPU time p99 ${ms(middle(ours, "tickP99Ms"))}, longest ${ms(middle(ours, "tickMaxMs"))}; ` +
      `warm pull by digest ${ms(middle(ours, "warmMs"))} (the first, which names the image, ${ms(middle(ours, "namingMs"))})`,
  );
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
}

/** One pull of ours, in a process of its own. */
async function ours(into: string): Promise<Ours> {
  const began = performance.now();
  const node = [import.meta.filename, "child"];
  const { stdout } = await run(process.execPath, [...node, `${host}/bench:v1`, into]);
  const wholeMs = performance.now() - began;
  rmSync(into, { recursive: true });
  return { ...JSON.parse(stdout), wholeMs };
}

/** Brings an image of a layout into the registry. */
async function pushLayout(place: string): Promise<void> {
  const colon = place.lastIndexOf(":");
  await using client = new RegistryClient();
  const repository = new RemoteRepository(client, host, "bench");
  const source = await OciLayout.open(place.slice(0, colon));
  let bytes = 0;
  const { digest } = await copy(source, place.slice(colon + 1), repository, "v1", {
    onEvent: ({ type, descriptor }) => {
      if (type === "copied") bytes += descriptor.size;
    },
  });
  say(`image ${digest}: ${mib(bytes)}, registry ${host}`);
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

async function skopeo(into: string): Promise<Theirs> {
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
  const wallMs = performance.now() - start;
  if (status !== 0) throw new Error(`skopeo exited with ${status}`);
  rmSync(into, { recursive: true });
  return { wallMs, cpuMs, peakBytes };
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
