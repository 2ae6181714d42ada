import { defaultImageLimits, defaultLayerLimits } from "@box/oci-images";
import { defaultRegistryLimits, defaultRetryLimits } from "@box/oras";
import { describe, expect, test } from "vitest";
import { limitNames, parseLimits } from "../../src/command/limits.ts";
import { runBoxHere } from "../support/run-box.ts";

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
