import type { Options } from "tsup";

export type { Options };

/** Packages without dependencies of their own at run time: bundled, types too, into those that use them as a dev dependency. */
const bundled = ["@box/errors", "@box/io", "@box/io/node"];

const shared: Options = {
  format: ["esm"],
  target: "node22",
  platform: "node",
  sourcemap: true,
  clean: true,
  treeshake: true,
};

/** Build settings of a package: ESM entries with declarations; only dev dependencies on `@box/*` are bundled. */
export function library(entry: Record<string, string>): Options {
  return {
    ...shared,
    entry,
    // Types are resolved through `exports`, without the source condition, from built dependencies.
    dts: { resolve: bundled },
    skipNodeModulesBundle: false,
  };
}

/** A program: everything is bundled into one folder, lazy imports become chunks of their own. */
export function program(entry: Record<string, string>): Options {
  return {
    ...shared,
    entry,
    dts: false,
    splitting: true,
    minify: true,
    noExternal: [/.*/],
    esbuildOptions: (options) => {
      options.conditions = ["@box/source", ...(options.conditions ?? [])];
    },
    // Bundled CommonJS packages still ask for `require`.
    banner: {
      js: 'import { createRequire as __createRequire } from "node:module"; const require = __createRequire(import.meta.url);',
    },
  };
}

/** A program that other packages may import too: bundled, with declarations. */
export function application(entry: Record<string, string>): Options {
  return { ...program(entry), minify: false, dts: { resolve: [/^@box\//] } };
}
