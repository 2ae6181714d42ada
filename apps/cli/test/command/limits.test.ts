import { defaultImageLimits, defaultLayerLimits } from "@box/oci-images";
import { defaultRegistryLimits, defaultRetryLimits } from "@box/oras";
import { scriptedServer } from "@box/test-support";
import { describe, expect, test } from "vitest";
import { limitNames, parseLimits } from "../../src/command/limits.ts";
import { createTestHome } from "../support/boxed-home.ts";
import { type BoxRun, runBoxHere } from "../support/run-box.ts";

describe("limits", () => {
  test("are sorted by who takes them, and each is an option there", () => {
    const texts = limitNames.map((name, index) => `${name}=${index + 1}`);
    const limits = parseLimits([...texts, "manifest-size=8MiB"]);
    expect(Object.keys(limits.images).sort()).toEqual(Object.keys(defaultImageLimits).sort());
    expect(Object.keys(limits.layers).sort()).toEqual(Object.keys(defaultLayerLimits).sort());
    expect(Object.keys(limits.registry).sort()).toEqual(Object.keys(defaultRegistryLimits).sort());
    expect(limits.images["maxManifestBytes"]).toBe(8 * 1024 ** 2);
    expect(limits.registry["maxManifestBytes"]).toBe(8 * 1024 ** 2);
    expect(Object.keys(limits.retry).sort()).toEqual(Object.keys(defaultRetryLimits).sort());
    expect(parseLimits(["idle-time=1.5m", "redirects=3"])).toEqual({
      ...parseLimits([]),
      connections: { idleTimeoutMs: 90_000, maxRedirects: 3 },
    });
  });

  test.each([
    ["layers", 'not a known limit and its value: "layers"'],
    ["toString=1", "not a known limit"],
    ["layers=0", '--limit layers: not a number: "0"'],
    ["layers=2MiB", "--limit layers: not a number"],
    ["page-size=big", '--limit page-size: not a size: "big"'],
    ["idle-time=0s", '--limit idle-time: not a duration: "0s"'],
    ["tries=2s", '--limit tries: not a number: "2s"'],
  ])("are refused as %s, whatever the command", async (text, message) => {
    const { exitCode, stderr } = await runBoxHere(["version", "--limit", text]);
    expect(exitCode).toBe(2);
    expect(stderr).toContain("error[CLI_INVALID_ARGUMENT]");
    expect(stderr).toContain(message);
  });
});

/** Pulls from a registry on loopback. */
async function pull(host: string, ...limits: string[]): Promise<BoxRun> {
  const { home, folder } = await createTestHome();
  const flags = limits.flatMap((limit) => ["--limit", limit]);
  const env = { DOCKER_CONFIG: folder, XDG_CONFIG_HOME: folder };
  return runBoxHere(["--home", home, "pull", `${host}/app:v1`, ...flags], { cwd: folder, env });
}

describe("limits of what registries may cost", () => {
  test("end tries of a registry that always fails", async () => {
    const { host, seen } = await scriptedServer((_request, response) =>
      response.writeHead(503).end(),
    );
    const run = await pull(host, "tries=3", "retry-wait=1ms");
    expect(run.stderr).toContain("error[ORAS_HTTP_STATUS]");
    expect(run.exitCode).toBe(7);
    expect(seen).toHaveLength(3);
  });

  test("end redirects", async () => {
    const { host, seen } = await scriptedServer(({ url }, response) =>
      response.writeHead(307, { location: `${url}x` }).end(),
    );
    const run = await pull(host, "redirects=2");
    expect(run.stderr).toContain("error[ORAS_REDIRECT_REFUSED]");
    expect(seen).toHaveLength(3);
  });

  test("refuse to wait for longer than retry-after", async () => {
    const { host, seen } = await scriptedServer((_request, response) =>
      response.writeHead(429, { "retry-after": "2" }).end(),
    );
    const run = await pull(host, "retry-after=1s");
    expect(run.stderr).toContain("error[ORAS_RATE_LIMITED]");
    expect(seen).toHaveLength(1);
  });

  test.each(["header-time", "idle-time"])("end the wait of %s", async (name) => {
    const { host, seen } = await scriptedServer((_request, response) => {
      if (name === "header-time") return;
      response.writeHead(200, { "content-length": "10" });
      response.write("{");
    });
    const run = await pull(host, `${name}=50ms`, "tries=1");
    expect(run.stderr).toContain("error[ORAS_STALLED]");
    expect(run.exitCode).toBe(7);
    expect(seen).toHaveLength(1);
  });
});
