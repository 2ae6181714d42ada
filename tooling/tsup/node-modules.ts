import { builtinModules } from "node:module";
import { promisify } from "node:util";
import type { Plugin } from "rolldown";
import type { Options } from "tsup";

type EsbuildPlugin = NonNullable<Options["esbuildPlugins"]>[number];

/** Loaded when one of their functions is called: they bring much with them, and most runs need none. */
const lateInPrograms: ReadonlySet<string> = new Set([
  "node:child_process",
  "node:fs/promises",
  "node:net",
  "node:stream/promises",
]);
/** As much again, which scripts need only once they have started something else. */
export const lateInScripts: ReadonlySet<string> = new Set([...lateInPrograms, "node:crypto"]);

/** Without a space: the names of files are made of it. */
const prefix = "\0node-module:";

/**
 * Takes what Node.js brings from `process.getBuiltinModule`, name by name.
 *
 * An import statement makes Node.js read every property of the module that it names, and the lazy ones among them load
 * more modules. What CommonJS code asks for is left as it is.
 */
export function nodeModules(late: ReadonlySet<string> = lateInPrograms): Plugin {
  return {
    name: "node-modules",
    resolveId: {
      filter: { id: /^node:/ },
      handler: (id, _importer, { kind }) => {
        const isOurs = kind === "import-statement" && builtinModules.includes(plainName(id));
        return isOurs ? { id: prefix + id, moduleSideEffects: false } : undefined;
      },
    },
    load: {
      filter: { id: /^\0node-module:/ },
      handler: async (id) => {
        const name = id.slice(prefix.length);
        const code = namesOf(name, (await import(name)) as object, late);
        return { code, moduleType: "js" };
      },
    },
  };
}

/** {@link nodeModules} for scripts of packages, which esbuild bundles. */
export function nodeModulesOfScripts(): EsbuildPlugin {
  const namespace = "node-module";
  return {
    name: namespace,
    setup(build) {
      build.onResolve({ filter: /^node:/ }, ({ path, kind }) => {
        const isOurs = kind === "import-statement" && builtinModules.includes(plainName(path));
        return isOurs ? { path, namespace, sideEffects: false } : { path, external: true };
      });
      build.onLoad({ filter: /^/, namespace }, async ({ path }) => ({
        contents: namesOf(path, (await import(path)) as object, lateInScripts),
      }));
    },
  };
}

/** `node:sqlite` and `node:test` are listed with their prefix, the others without. */
function plainName(id: string): string {
  return builtinModules.includes(id) ? id : id.slice("node:".length);
}

/** Every name is a constant of its own, so that those nobody uses go away. */
function namesOf(name: string, module: object, late: ReadonlySet<string>): string {
  const entries = Object.entries(module).filter(([key]) => /^\w+$/.test(key) && key !== "default");
  const get = `process.getBuiltinModule(${JSON.stringify(name)})`;
  const constants = entries.map(([key, value]) => {
    const isLate = late.has(name) && isPlainFunction(key, value);
    const text = isLate
      ? `(...args) => ${get}.${key}(...args)`
      : `/* @__PURE__ */ (() => ${get}.${key})()`;
    return `const _${key} = ${text}; export { _${key} as ${key} };`;
  });
  const getters = entries.map(([key]) => `get ${key}() { return ${get}.${key}; }`);
  const whole = late.has(name) ? `{ ${getters.join(", ")} }` : get;
  return [`export default /* @__PURE__ */ (() => (${whole}))();`, ...constants].join("\n");
}

/** One that may stand behind another: no class, and nothing that `promisify` treats in a way of its own. */
function isPlainFunction(key: string, value: unknown): boolean {
  return typeof value === "function" && /^[a-z]/.test(key) && !(promisify.custom in value);
}
