import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { GuestError } from "../errors.ts";
import { kernelInvalid } from "./kernel-error.ts";
import { readModule } from "./read-module.ts";

/** What a kernel has: where modules are, what each needs, and what needs no module. */
export interface ModuleIndex {
  /** Names of what is built into the kernel. */
  readonly builtin: ReadonlySet<string>;
  /** Path of each module, relative to the folder of modules, by its name. */
  readonly paths: ReadonlyMap<string, string>;
  /** Names of what a module needs directly or indirectly. */
  dependenciesOf(name: string): Promise<readonly string[]>;
}

/** A module's name: that of its file, with `_` for `-`. */
export function moduleName(path: string): string {
  const fileName = path.slice(path.lastIndexOf("/") + 1);
  return fileName.replace(/\.ko(\.\w+)?$/, "").replaceAll("-", "_");
}

/**
 * Parses `modules.dep`: each line has a module's path, a colon, and the paths of what it needs.
 *
 * @throws GuestError `GUEST_KERNEL_INVALID`.
 */
function parseModulesDep(text: string): Map<string, { path: string; needs: string[] }> {
  const modules = new Map<string, { path: string; needs: string[] }>();
  for (const line of text.split("\n")) {
    if (line.trim() === "") continue;
    const colon = line.indexOf(":");
    const path = line.slice(0, colon);
    if (colon < 0 || !isInside(path)) throw kernelInvalid("modules.dep", "a line has no module");
    const needs = line
      .slice(colon + 1)
      .split(" ")
      .filter(Boolean);
    modules.set(moduleName(path), { path, needs: needs.map(moduleName) });
  }
  return modules;
}

/** Parses `modules.builtin` or `modules.order`: a path on each line. */
function parseModulePaths(text: string): string[] {
  return text.split("\n").filter((line) => line !== "" && isInside(line));
}

/**
 * Reads the index of a folder of modules, such as `/lib/modules/RELEASE`. `modules.dep` is made when a kernel is installed; in a
 * package that was only unpacked `modules.order` and the modules themselves tell the same.
 *
 * @throws GuestError `GUEST_KERNEL_MISSING`, `GUEST_KERNEL_INVALID`.
 */
export async function readModuleIndex(directory: string): Promise<ModuleIndex> {
  const [builtin, dep] = await Promise.all([
    readList(directory, "modules.builtin"),
    readList(directory, "modules.dep"),
  ]);
  const names = new Set(parseModulePaths(builtin ?? "").map(moduleName));
  if (dep !== undefined) {
    const modules = parseModulesDep(dep);
    return {
      builtin: names,
      paths: new Map([...modules].map(([name, { path }]) => [name, path])),
      dependenciesOf: (name) => Promise.resolve(modules.get(name)?.needs ?? []),
    };
  }
  const order = await readList(directory, "modules.order");
  if (order === undefined) {
    throw new GuestError({
      code: "GUEST_KERNEL_MISSING",
      message: `there are no kernel modules in ${directory}`,
      details: { directory },
      hint: "name a kernel whose modules are installed, or install linux-image-cloud-amd64",
    });
  }
  const paths = new Map(parseModulePaths(order).map((path) => [moduleName(path), path]));
  return {
    builtin: names,
    paths,
    dependenciesOf: async (name) => {
      const path = paths.get(name);
      return path === undefined ? [] : dependsOf(await readModule(join(directory, path)));
    },
  };
}

/** What a module says that it needs: `depends=` in its section `.modinfo`. */
function dependsOf(module: Uint8Array): string[] {
  const bytes = Buffer.from(module.buffer, module.byteOffset, module.byteLength);
  const start = bytes.indexOf("\0depends=");
  if (start < 0) return [];
  const end = bytes.indexOf(0, start + 1);
  const text = bytes.toString("latin1", start + "\0depends=".length, end);
  return text.split(",").filter(Boolean).map(moduleName);
}

/** Paths come from files, and are joined to the folder. */
function isInside(path: string): boolean {
  return !path.startsWith("/") && !path.split("/").includes("..");
}

async function readList(directory: string, name: string): Promise<string | undefined> {
  try {
    return await readFile(join(directory, name), "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}
