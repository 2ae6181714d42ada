import { once } from "node:events";
import { existsSync } from "node:fs";
import { chmod, chown, mkdir, readdir, readFile, stat, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { serveRegistry } from "@box/oras/registry-server";
import { describe, expect, onTestFinished, test } from "vitest";
import { createTestHome, filesBelow, type TestHome } from "../support/boxed-home.ts";
import { type SpawnedRun, startBox } from "../support/spawn-box.ts";

const isRoot = process.getuid?.() === 0;

/** Expects one error with a code, a hint and nothing on stdout, and nothing half-made in the home. */
async function expectRefused(test: TestHome, run: SpawnedRun, code: string, exitCode: number) {
  expect(run.stdout).toBe("");
  const errors = run.stderr.split("\n").filter((line) => line.startsWith("error["));
  expect(errors).toEqual([expect.stringContaining(`error[${code}]: `)]);
  expect(run.stderr).toMatch(/^ {2}try {2,}\S/m);
  expect(run.stderr).not.toMatch(/\n\s+at /);
  expect(run.exitCode).toBe(exitCode);
  await expectNothingHalfMade(test.home);
}

/** Whole bases, with their records, and lock files may stay; everything else belongs to somebody's box or download. */
async function expectNothingHalfMade(home: string) {
  const files = await filesBelow(home).catch(() => []);
  const whole =
    /^(version|state\.db(-wal|-shm)?|locks\/.*|images\/(oci-layout|index\.json|blobs\/.*|ingest\/.*\.lock))$/;
  const bases = files.filter((name) => /^bases\/[0-9a-f]{64}\.ext4$/.test(name));
  const records = bases.map((name) => name.replace(/ext4$/, "json"));
  expect(files.filter((name) => !whole.test(name))).toEqual([...bases, ...records].sort());
  expect(await readdir(join(home, "boxes")).catch(() => [])).toEqual([]);
}

describe("box create refuses, with one error and a hint,", () => {
  test("a folder of the host, which box run refuses too, before anything is made", async () => {
    const home = await createTestHome();
    for (const words of [["create"], ["run", "-d"]]) {
      const run = await home.box([...words, "-v", `${home.folder}:/srv:ro`, home.image]);
      expect(run.stderr).toContain("box cp DIR NAME:DIR");
      await expectRefused(home, run, "CLI_UNSUPPORTED", words.includes("run") ? 125 : 9);
    }
  });

  test("a text that is no reference", async () => {
    const home = await createTestHome();
    await expectRefused(
      home,
      await home.box(["create", "UPPER//case", "--name", "a"]),
      "OCI_INVALID_REFERENCE",
      2,
    );
    const flags = ["--name", "a", "--guest-rootfs", "UPPER//case"];
    await expectRefused(
      home,
      await home.box(["create", home.image, ...flags]),
      "OCI_INVALID_REFERENCE",
      2,
    );
    expect(existsSync(home.home)).toBe(false);
  });

  test("an image that the registry does not have", async () => {
    const home = await createTestHome();
    await using registry = await serveRegistry();
    const run = await home.box(["create", `${registry.host}/no/such:tag`, "--name", "a"]);
    await expectRefused(home, run, "OCI_NOT_FOUND", 3);
  });

  test("a registry that nobody serves", async () => {
    const home = await createTestHome();
    const server = createServer().listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as { port: number };
    server.close();
    await once(server, "close");
    const run = await home.box(["create", `127.0.0.1:${port}/a:b`, "--name", "a"]);
    await expectRefused(home, run, "ORAS_NETWORK", 7);
  });

  test("a missing layout", async () => {
    const home = await createTestHome();
    const run = await home.box(["create", `oci:${home.folder}/nope:latest`, "--name", "a"]);
    await expectRefused(home, run, "OCI_LAYOUT_MISSING", 3);
  });

  test("a blob whose content is not its digest's", async () => {
    const home = await createTestHome();
    await damageLargestBlob(join(home.folder, "layout", "blobs", "sha256"));
    const run = await home.box(["create", home.image, "--name", "a"]);
    await expectRefused(home, run, "OCI_DIGEST_MISMATCH", 5);
  });

  test("a name that is taken, or is none", async () => {
    const home = await createTestHome();
    expect((await home.box(["create", home.image, "--name", "a"])).exitCode).toBe(0);
    const taken = await home.box(["create", home.image, "--name", "a"]);
    expect(taken.exitCode).toBe(4);
    expect(taken.stderr).toContain("error[BOX_NAME_TAKEN]");
    const none = await home.box(["create", home.image, "--name", "../a"]);
    expect(none.exitCode).toBe(2);
    expect(none.stderr).toContain("error[BOX_NAME_INVALID]");
  });

  test("a disk that is smaller than its base", async () => {
    const home = await createTestHome();
    const run = await home.box(["create", home.image, "--name", "a", "--disk-size", "4KiB"]);
    expect(run.exitCode).toBe(2);
    expect(run.stderr).toContain("error[OVERLAY_TOO_SMALL]");
    expect(await readdir(join(home.home, "boxes"))).toEqual([]);
  });

  test.each(["", "0", "10XiB", "-1", "1e3"])("--disk-size %j", async (size) => {
    const home = await createTestHome();
    const run = await home.box(["create", home.image, "--name", "a", `--disk-size=${size}`]);
    await expectRefused(home, run, "CLI_INVALID_ARGUMENT", 2);
  });

  test("a home that is a file", async () => {
    const home = await createTestHome();
    await writeFile(home.home, "precious");
    const run = await home.box(["create", home.image, "--name", "a"]);
    await expectRefused(home, run, "HOME_NOT_A_FOLDER", 2);
    expect(await readFile(home.home, "utf8")).toBe("precious");
  });

  test.skipIf(!isRoot)("a home that belongs to someone else", async () => {
    const home = await createTestHome();
    await mkdir(home.home, { mode: 0o700 });
    await chown(home.home, 65534, 65534);
    const run = await home.box(["create", home.image, "--name", "a"]);
    await expectRefused(home, run, "HOME_FOREIGN_OWNER", 9);
    expect(await readdir(home.home)).toEqual([]);
  });

  test("a home that cannot be read", async () => {
    const home = await createTestHome();
    await mkdir(home.home, { mode: 0 });
    onTestFinished(() => chmod(home.home, 0o700));
    // The same user without what lets root read everything: another user may not reach the program at all.
    const under = isRoot ? ["setpriv", "--bounding-set=-dac_override,-dac_read_search"] : [];
    const run = await home.box(["create", home.image, "--name", "a"], { under });
    await expectRefused(home, run, "HOME_UNREADABLE", 6);
  });

  test("a file system without space", async () => {
    const home = await createTestHome();
    // Files end at 1 MiB: too small for any base disk. The signal is ignored, so that writing fails instead.
    const limited = ["sh", "-c", `trap '' XFSZ; ulimit -f 2048; exec "$@"`, "sh"];
    const run = await home.box(["create", home.image, "--name", "a"], { under: limited });
    expect(run.stderr).toMatch(/^error\[[A-Z_]*NO_SPACE\]: /m);
    expect(run.stderr).toMatch(/^ {2}try {2,}\S/m);
    expect(run.exitCode).toBe(6);
    await expectNothingHalfMade(home.home);
    expect((await home.box(["create", home.image, "--name", "a"])).exitCode).toBe(0);
  });
});

describe("other commands", () => {
  test("name a box that does not exist", async () => {
    const { box } = await createTestHome();
    for (const command of ["prepare", "inspect", "rm"]) {
      const run = await box([command, "nope"]);
      expect(run.exitCode).toBe(3);
      expect(run.stderr).toContain("error[BOX_NOT_FOUND]");
    }
    expect(await box(["rm", "-f", "nope"])).toEqual({ exitCode: 0, stdout: "", stderr: "" });
  });

  test("list nothing in a home that does not exist, and do not make it", async () => {
    const { box, home } = await createTestHome();
    expect(await box(["ls", "-q"])).toEqual({ exitCode: 0, stdout: "", stderr: "" });
    expect((await box(["images", "--format", "json"])).stdout).toBe("[]\n");
    expect((await box(["complete-words", "--", "rm", ""])).stdout).toBe("");
    await expect(stat(home)).rejects.toThrow();
  });
});

describe("a signal", () => {
  /** A registry that takes connections and never answers. */
  async function silentRegistry(): Promise<{ host: string; connected: Promise<unknown> }> {
    const server = createServer().listen(0, "127.0.0.1");
    await once(server, "listening");
    onTestFinished(() => {
      server.close();
    });
    const connected = once(server, "connection");
    server.on("connection", (socket) => onTestFinished(() => void socket.destroy()));
    return { host: `127.0.0.1:${(server.address() as { port: number }).port}`, connected };
  }

  test.each([
    ["SIGINT", 130],
    ["SIGTERM", 143],
  ] as const)(
    "%s once stops the work, cleans up within a second and exits %s",
    async (signal, exitCode) => {
      const home = await createTestHome();
      const tookMs: number[] = [];
      // A busy machine may hold any one process up for a second, so the best of three counts.
      while (tookMs.length < 3 && tookMs.every((ms) => ms >= 1000)) {
        tookMs.push(await stopWith(signal, exitCode, home));
      }
      expect(Math.min(...tookMs)).toBeLessThan(1000);
    },
  );

  /** Stops box while it waits for a registry. @returns How long it took to clean up and end, in milliseconds. */
  async function stopWith(signal: NodeJS.Signals, exitCode: number, home: TestHome) {
    const { host, connected } = await silentRegistry();
    const child = startBox(["--home", home.home, "create", `${host}/a:b`, "--name", "a"]);
    const closed = once(child, "close");
    let stderr = "";
    child.stderr.on("data", (chunk: Buffer) => {
      stderr += chunk.toString();
    });
    await connected;
    const sentMs = performance.now();
    child.kill(signal);
    expect((await closed)[0]).toBe(exitCode);
    const tookMs = performance.now() - sentMs;
    expect(stderr).toContain(`error[CLI_INTERRUPTED]: stopped by ${signal}`);
    await expectNothingHalfMade(home.home);
    expect((await home.box(["ls", "-q"])).stdout).toBe("");
    return tookMs;
  }

  test("--timeout stops it the same way, with its own code", async () => {
    const home = await createTestHome();
    const { host } = await silentRegistry();
    const run = await home.box(["create", `${host}/a:b`, "--name", "a", "--timeout", "1s"]);
    await expectRefused(home, run, "CLI_TIMEOUT", 124);
  });
});

async function damageLargestBlob(folder: string): Promise<void> {
  const names = await readdir(folder);
  const sizes = await Promise.all(names.map(async (name) => (await stat(join(folder, name))).size));
  const largest = names[sizes.indexOf(Math.max(...sizes))] ?? "";
  const bytes = await readFile(join(folder, largest));
  bytes[bytes.length >> 1] = (bytes[bytes.length >> 1] ?? 0) ^ 1;
  await writeFile(join(folder, largest), bytes);
}
