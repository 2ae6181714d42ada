import type { PluginContext } from "rolldown";
import { parseAst } from "rolldown/parseAst";

/** A name that a module takes from another, or `*` for all of them. */
interface Taken {
  readonly specifier: string;
  readonly name: string;
}

/** What a module says about other modules. */
interface Links {
  /** What it takes when it is loaded, for itself. */
  readonly taken: readonly Taken[];
  /** What it only passes on, by the name that it gives it. */
  readonly passed: ReadonlyMap<string, Taken>;
  /** Whether it does nothing else: what it does not pass on needs nothing of it. */
  readonly isList: boolean;
}

/**
 * Which modules are loaded with others.
 *
 * A module that only lists what other modules export, as the entry of a package does, is looked through: who takes a name from it
 * loads the module that makes the name, and not all that are listed.
 */
export class ImportGraph {
  readonly #context: PluginContext;
  readonly #links = new Map<string, Links>();

  constructor(context: PluginContext) {
    this.#context = context;
  }

  /** The modules and all that is loaded with them. */
  async loadedWith(ids: readonly string[]): Promise<ReadonlySet<string>> {
    const loaded = new Set<string>();
    const load = async (id: string): Promise<void> => {
      if (loaded.has(id)) return;
      loaded.add(id);
      for (const taken of this.#linksOf(id).taken) {
        const maker = await this.#makerOf(id, taken);
        if (maker !== undefined) await load(maker);
      }
    };
    for (const id of ids) await load(id);
    return loaded;
  }

  /** The module that makes what is taken; nothing for what is no part of the program. */
  async #makerOf(importer: string, { specifier, name }: Taken): Promise<string | undefined> {
    const resolved = await this.#context.resolve(specifier, importer, { kind: "import-statement" });
    if (resolved === null || this.#context.getModuleInfo(resolved.id) === null) return undefined;
    const { passed, isList } = this.#linksOf(resolved.id);
    const next = isList ? passed.get(name) : undefined;
    return next === undefined ? resolved.id : this.#makerOf(resolved.id, next);
  }

  #linksOf(id: string): Links {
    let links = this.#links.get(id);
    if (links === undefined) {
      const isCode = /\.[cm]?[jt]s$/.test(id);
      links = readLinks(isCode ? (this.#context.getModuleInfo(id)?.code ?? "") : "");
      this.#links.set(id, links);
    }
    return links;
  }
}

function readLinks(code: string): Links {
  const taken: Taken[] = [];
  const passed = new Map<string, Taken>();
  let isList = true;
  for (const statement of parseAst(code, { lang: "ts" }).body) {
    if (statement.type === "ImportDeclaration" && statement.importKind !== "type") {
      isList = false;
      const specifier = statement.source.value;
      if (statement.specifiers.length === 0) taken.push({ specifier, name: "*" });
      for (const one of statement.specifiers) {
        if (one.type !== "ImportSpecifier") taken.push({ specifier, name: "*" });
        else if (one.importKind !== "type") taken.push({ specifier, name: nameOf(one.imported) });
      }
    } else if (statement.type === "ExportAllDeclaration" && statement.exportKind !== "type") {
      isList = false;
      taken.push({ specifier: statement.source.value, name: "*" });
    } else if (statement.type === "ExportNamedDeclaration" && statement.source !== null) {
      if (statement.exportKind === "type") continue;
      for (const { local, exported, exportKind } of statement.specifiers) {
        if (exportKind === "type") continue;
        const from = { specifier: statement.source.value, name: nameOf(local) };
        passed.set(nameOf(exported), from);
        taken.push(from);
      }
    } else if (
      statement.type !== "ImportDeclaration" &&
      statement.type !== "ExportAllDeclaration"
    ) {
      isList = false;
    }
  }
  return { taken, passed, isList };
}

function nameOf(name: { readonly name: string } | { readonly value: string }): string {
  return "name" in name ? name.name : name.value;
}
