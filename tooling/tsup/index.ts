import { globSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Options } from "tsup";
import { nodeModulesOfScripts } from "./node-modules.ts";

export type { Options };

const packagesFolder: string = join(import.meta.dirname, "../../packages");

/** Sources of every public entry in `packages/`, by the name it is imported under, as `paths` of the compiler. */
const sources: Record<string, string[]> = sourceEntries();

const shared: Options = {
  format: ["esm"],
  target: "node22",
  platform: "node",
  sourcemap: true,
  clean: true,
  treeshake: true,
  // node:sqlite has no other name.
  removeNodeProtocol: false,
  esbuildOptions: (options) => {
    options.conditions = ["@box/source", ...(options.conditions ?? [])];
  },
};

/**
 * Build settings of a package: ESM entries with declarations.
 *
 * What package.json lists under `dependencies` stays an import. A workspace package that is only a dev
 * dependency is bundled, code and types, from its sources: its declarations are found by `paths`, because
 * the declaration bundler takes whatever it finds in node_modules for external.
 */
export function library(entry: Record<string, string>): Options {
  return { ...shared, entry, dts: { compilerOptions: { paths: sources } } };
}

/**
 * A program of a package that is run by itself and has to start fast: one file, of CommonJS, as nothing is to be looked for then.
 * What it imports late is evaluated late.
 */
export function script(entry: Record<string, string>): Options {
  return {
    ...shared,
    entry,
    format: ["cjs"],
    noExternal: [/.*/],
    clean: false,
    minify: true,
    esbuildPlugins: [nodeModulesOfScripts()],
  };
}

/** A program that other packages may import too: everything is bundled into one folder, with declarations. */
export function application(entry: Record<string, string>): Options {
  return {
    ...shared,
    entry,
    dts: { compilerOptions: { paths: sources } },
    splitting: true,
    noExternal: [/.*/],
    // Bundled CommonJS packages still ask for `require`. Short: every chunk begins with it.
    banner: {
      js: 'import{createRequire as __r}from"node:module";const require=__r(import.meta.url);',
    },
  };
}

function sourceEntries(): Record<string, string[]> {
  const entries: Record<string, string[]> = {};
  for (const path of globSync("*/package.json", { cwd: packagesFolder })) {
    const manifest = JSON.parse(readFileSync(join(packagesFolder, path), "utf8")) as {
      name: string;
      exports: Record<string, { "@box/source"?: string }>;
    };
    for (const [subpath, target] of Object.entries(manifest.exports)) {
      const source = target["@box/source"];
      if (source === undefined) continue;
      entries[join(manifest.name, subpath)] = [join(packagesFolder, dirname(path), source)];
    }
  }
  return entries;
}
