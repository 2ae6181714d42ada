import { shared } from "@box/vitest-config";
import { defineConfig, mergeConfig, type ViteUserConfig } from "vitest/config";

// Every test starts real tools: type checker, bundler, package manager.
const config: ViteUserConfig = mergeConfig(
  shared,
  defineConfig({ test: { testTimeout: 120_000, hookTimeout: 120_000, maxWorkers: 2 } }),
);
export default config;
