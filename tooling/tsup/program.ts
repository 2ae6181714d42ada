import { execFileSync } from "node:child_process";
import type { OutputOptions, Plugin, RolldownOptions } from "rolldown";
import { ImportGraph } from "./import-graph.ts";
import { lateInScripts, nodeModules } from "./node-modules.ts";
import { withoutPassingOn } from "./passed-on.ts";

/** What the bundler takes. */
export type ProgramSettings = RolldownOptions & { readonly output: OutputOptions };

const forNode: RolldownOptions = {
  platform: "node",
  resolve: { conditionNames: ["@box/source", "import", "node", "default"] },
  transform: { target: "node22" },
};

/** What a program is made of. */
export interface ProgramOptions {
  /** The source that is run. */
  readonly main: string;
  /**
   * What is loaded together and therefore kept in one file: by the file's name, the ends of paths of sources, which stand for
   * themselves and everything that they import when they are loaded. The first to name a source has it.
   */
  readonly together: Readonly<Record<string, readonly string[]>>;
  /** Arguments of Node.js for a script that puts more into the folder, the last of its arguments, once it is written. */
  readonly afterwards?: readonly string[];
}

/** Build settings of a program: everything is bundled into one folder, lazy imports become files of their own. */
export function program({ main, together, afterwards }: ProgramOptions): ProgramSettings {
  const files = new Map<string, string>();
  return {
    input: { main },
    ...forNode,
    preserveEntrySignatures: "allow-extension",
    // What is kept together with its importer is loaded late by others all the same.
    checks: { ineffectiveDynamicImport: false },
    plugins: [
      nodeModules(),
      keptTogether(together, files),
      withoutPassingOn(),
      ...(afterwards === undefined ? [] : [scriptAfterwards(afterwards)]),
    ],
    output: {
      dir: "dist",
      cleanDir: true,
      format: "esm",
      minify: true,
      sourcemap: true,
      // So that files which pass names on can be left out.
      minifyInternalExports: false,
      chunkFileNames: "[name]-[hash].js",
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
 * Build settings of a program beside another, which has to start fast: one file, of CommonJS, as nothing is to be looked for then.
 * What it imports late is evaluated late.
 */
export function script(input: Readonly<Record<string, string>>): ProgramSettings {
  return {
    input: { ...input },
    ...forNode,
    plugins: [nodeModules(lateInScripts)],
    output: {
      dir: "dist",
      entryFileNames: "[name].cjs",
      format: "cjs",
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
