import { execFileSync } from "node:child_process";
import type { OutputOptions, Plugin, RolldownOptions } from "rolldown";
import { ImportGraph } from "./import-graph.ts";
import { lateInScripts, nodeModules } from "./node-modules.ts";

/** What the bundler takes. */
export type ProgramSettings = RolldownOptions & { readonly output: OutputOptions };

const forNode: RolldownOptions = {
  platform: "node",
  resolve: { conditionNames: ["@box/source", "import", "node", "default"] },
  transform: { target: "node22" },
};

/** What a program is made of. */
export interface ProgramOptions {
  /** The source that is run, by the name that it gets. */
  readonly main: Readonly<Record<string, string>>;
  /**
   * What is loaded together and therefore kept in one file: by the file's name, the ends of paths of sources, which stand for
   * themselves and everything that they import when they are loaded. The first to name a source has it.
   */
  readonly together: Readonly<Record<string, readonly string[]>>;
  /** Arguments of Node.js for a script that puts more into the folder, the last of its arguments, once it is written. */
  readonly afterwards?: readonly string[];
}

/**
 * Build settings of a program: everything is bundled into one folder of CommonJS, whose compiled code can be kept whole; lazy imports become
 * files of their own.
 */
export function program({ main, together, afterwards }: ProgramOptions): ProgramSettings {
  const files = new Map<string, string>();
  return {
    input: { ...main },
    ...forNode,
    preserveEntrySignatures: "allow-extension",
    // What is kept together with its importer is loaded late by others all the same.
    checks: { ineffectiveDynamicImport: false },
    plugins: [
      nodeModules(),
      keptTogether(together, files),
      ...(afterwards === undefined ? [] : [scriptAfterwards(afterwards)]),
    ],
    output: {
      dir: "dist",
      cleanDir: true,
      format: "cjs",
      minify: true,
      sourcemap: true,
      entryFileNames: "[name].cjs",
      chunkFileNames: "[name]-[hash].cjs",
      codeSplitting: {
        includeDependenciesRecursively: false,
        groups: Object.keys(together).map((name) => ({
          name,
          test: (id: string) => files.get(id) === name,
        })),
      },
    },
  };
}

/**
 * Build settings of a program beside another, which has to start fast: one file, as nothing is to be looked for then. It is of CommonJS
 * unless a module is asked for. What it imports late is evaluated late.
 */
export function script(
  input: Readonly<Record<string, string>>,
  { isModule = false }: { readonly isModule?: boolean } = {},
): ProgramSettings {
  return {
    input: { ...input },
    ...forNode,
    plugins: [nodeModules(lateInScripts)],
    output: {
      dir: "dist",
      entryFileNames: isModule ? "[name].js" : "[name].cjs",
      format: isModule ? "esm" : "cjs",
      minify: true,
      sourcemap: true,
      codeSplitting: false,
    },
  };
}

function scriptAfterwards(args: readonly string[]): Plugin {
  return {
    name: "script-afterwards",
    writeBundle({ dir = "dist" }) {
      execFileSync(process.execPath, [...args, dir], { stdio: ["ignore", "inherit", "inherit"] });
    },
  };
}

/** Notes in which file a source goes, once all of them are read. */
function keptTogether(
  together: Readonly<Record<string, readonly string[]>>,
  files: Map<string, string>,
): Plugin {
  return {
    name: "kept-together",
    async buildEnd() {
      const graph = new ImportGraph(this);
      const ids = [...this.getModuleIds()];
      files.clear();
      for (const [name, ends] of Object.entries(together)) {
        const found = ends.map((end) => {
          const id = ids.find((other) => other.endsWith(end));
          if (id === undefined) throw new Error(`no source ends with ${end}`);
          return id;
        });
        for (const id of await graph.loadedWith(found)) {
          if (!files.has(id)) files.set(id, name);
        }
      }
    },
  };
}
