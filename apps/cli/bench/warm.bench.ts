// What people wait for most: making a box of an image that is known, and listing many. Beside the start of Node.js alone.
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { writeSampleLayout } from "@box/sample-image";

/** Milliseconds of one process. */
interface Sample {
  /** By the clock. */
  readonly wall: number;
  /** Of all its processor time. */
  readonly cpu: number;
}

const program = join(import.meta.dirname, "../dist/main.js");
if (!existsSync(program))
  throw new Error("build the program first: pnpm turbo run build --filter=@box/cli");
const { values } = parseArgs({
  options: {
    rounds: { type: "string", default: "21" },
    boxes: { type: "string", default: "1000" },
  },
});

const folder = mkdtempSync(join(tmpdir(), "box-bench-"));
try {
  await writeSampleLayout(join(folder, "layout"), "latest");
  await createWarm(Number(values.rounds));
  await list(Number(values.boxes), Number(values.rounds));
} finally {
  rmSync(folder, { recursive: true, force: true });
}

async function createWarm(rounds: number): Promise<void> {
  const image = `oci:${join(folder, "layout")}:latest`;
  box("create", image, "--name", "first");
  const node: Sample[] = [];
  const created: Sample[] = [];
  for (let round = 0; round <= rounds; round++) {
    const alone = timed("--eval", "0");
    const whole = box("create", image, "--name", `box-${round}`);
    if (round === 0) continue;
    node.push(alone);
    created.push(whole);
  }
  report("node --eval 0", node);
  report("box create, warm", created);
  const beyond = median(created, "wall") - median(node, "wall");
  print(
    `beyond Node's start: ${beyond.toFixed(1)} ms (target 50): ${beyond <= 50 ? "met" : "MISSED"}`,
  );
}

async function list(boxes: number, rounds: number): Promise<void> {
  const { Runtime } = await import("@box/runtime");
  await using runtime = await Runtime.open({ home: join(folder, "home") });
  const known = (await runtime.boxes.list()).length;
  const image = `oci:${join(folder, "layout")}:latest`;
  for (let index = known; index < boxes; index++) {
    await runtime.boxes.create({ image, name: `more-${index}` });
  }
  const listed: Sample[] = [];
  for (let round = 0; round < rounds; round++) listed.push(box("ls"));
  report(`box ls of ${boxes}`, listed);
  const wall = median(listed, "wall");
  print(`(target 250): ${wall <= 250 ? "met" : "MISSED"}`);
}

function box(...args: string[]): Sample {
  return timed(program, "--home", join(folder, "home"), ...args);
}

function timed(...args: string[]): Sample {
  // Node does not tell what a child has used; bash does, to the millisecond.
  const script = '"$@" >/dev/null; status=$?; times >&2; exit $status';
  const start = performance.now();
  const { status, stderr } = spawnSync("bash", ["-c", script, "bash", process.execPath, ...args], {
    encoding: "utf8",
  });
  const wall = performance.now() - start;
  if (status !== 0) throw new Error(`${args.join(" ")} failed: ${stderr}`);
  const last = stderr.trimEnd().split("\n").at(-1) ?? "";
  const cpu = [...last.matchAll(/(\d+)m([\d.]+)s/g)]
    .map(([, minutes, seconds]) => Number(minutes) * 60_000 + Number(seconds) * 1000)
    .reduce((sum, milliseconds) => sum + milliseconds, 0);
  return { wall, cpu };
}

function report(name: string, samples: readonly Sample[]): void {
  const walls = samples.map(({ wall }) => wall);
  print(
    `${name.padEnd(20)} median ${median(samples, "wall").toFixed(1)} ms, CPU ${median(samples, "cpu").toFixed(0)} ms; ` +
      `fastest ${Math.min(...walls).toFixed(1)}, slowest ${Math.max(...walls).toFixed(1)} ms`,
  );
}

function median(samples: readonly Sample[], key: keyof Sample): number {
  return samples.map((sample) => sample[key]).sort((a, b) => a - b)[samples.length >> 1] ?? 0;
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
