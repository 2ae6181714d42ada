import { chmod, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { output } from "../overlay/program.ts";

const child = fileURLToPath(new URL("build-in-child.ts", import.meta.url));
const nobody = 65_534;
const decadeMs = 10 * 366 * 86_400_000;

let folders: string[];
beforeEach(() => {
  folders = [];
});
afterEach(async () => {
  for (const folder of folders) await rm(folder, { recursive: true, force: true });
});

interface Built {
  readonly uid: number;
  readonly year: number;
  readonly digests: readonly string[];
}

async function build(env: Record<string, string>, ...args: string[]): Promise<Built> {
  const folder = await mkdtemp(join(tmpdir(), "box-same-"));
  folders.push(folder);
  await chmod(folder, 0o755);
  const variables = Object.entries(env).map(([name, value]) => `${name}=${value}`);
  return JSON.parse(
    await output(
      "env",
      ...variables,
      ...[process.execPath, "--conditions=@box/source", "--no-warnings", child, folder, ...args],
    ),
  ) as Built;
}

describe("two homes have the same bytes", () => {
  test("ten years apart, in other time zones and languages", async () => {
    const here = await build({ TZ: "UTC", LC_ALL: "C" });
    const there = await build(
      { TZ: "Pacific/Kiritimati", LC_ALL: "tr_TR.UTF-8" },
      "",
      `${decadeMs}`,
    );
    expect(there.year).toBeGreaterThan(here.year + 8);
    expect(there.digests).toEqual(here.digests);
    expect(new Set(here.digests).size).toBe(2);
  });

  test("whatever the number of threads and of builds at once, and however the layers are cut", async () => {
    const here = await build({ UV_THREADPOOL_SIZE: "1" });
    const there = await build({
      UV_THREADPOOL_SIZE: "16",
      BOX_TEST_COPIES: "4",
      BOX_TEST_CHUNK: "977",
    });
    expect(there.digests).toHaveLength(8);
    expect(new Set(there.digests)).toEqual(new Set(here.digests));
  });

  const isRoot = process.getuid?.() === 0;
  if (!isRoot) process.stderr.write("skipped: only root can become another user\n");

  test.skipIf(!isRoot)("as root and as an ordinary user", async () => {
    const root = await build({});
    const ordinary = await build({}, `${nobody}`);
    expect([root.uid, ordinary.uid]).toEqual([0, nobody]);
    expect(ordinary.digests).toEqual(root.digests);
  });
});
