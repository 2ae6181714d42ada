import { globSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { ReflectionKind } from "typedoc";

/** Each public entry of the packages and apps, by its source: what it is imported as. @type {Map<string, string>} */
const entries = new Map();
const names = [];
for (const path of globSync("{packages,apps}/*/package.json").sort()) {
  const { name, exports = {} } = JSON.parse(readFileSync(path, "utf8"));
  names.push(name);
  for (const [subpath, target] of Object.entries(exports)) {
    const source = target["@box/source"];
    if (source !== undefined) entries.set(join(dirname(path), source), join(name, subpath));
  }
}

/** Names each page after what a reader imports, not after the file. */
function nameEntries(app) {
  app.converter.on("resolveBegin", ({ project }) => {
    for (const module of project.children ?? []) {
      module.name = entries.get(module.sources?.[0]?.fileName) ?? module.name;
    }
  });
}

/**
 * Wants a comment on every property of an interface or class. What a literal type says by itself (`type: "kept"`), and
 * what stands inside another type, belongs to the comment around it.
 */
function checkProperties(app) {
  app.on("validateProject", (project) => {
    for (const property of project.getReflectionsByKind(ReflectionKind.Property)) {
      const isMember = property.parent?.kindOf(ReflectionKind.ClassOrInterface);
      if (!isMember || property.hasComment() || property.type?.type === "literal") continue;
      if (property.flags.isExternal || property.flags.isInherited) continue;
      const { packageName, packagePath } = project.getSymbolIdFromReflection(property) ?? {};
      if (!names.includes(packageName)) continue;
      const name = property.getFriendlyFullName();
      app.logger.warn(`${name}, defined in ${packageName}/${packagePath}, has no comment`);
    }
  });
}

/** What the validation of TypeDoc itself asks comments of. */
const documented = [
  "Variable",
  "Function",
  "Class",
  "Interface",
  "Method",
  "Accessor",
  "TypeAlias",
];

/** @type {Partial<import("typedoc").TypeDocOptions>} */
const config = {
  name: "Box",
  readme: "README.md",
  tsconfig: "tooling/tsconfig/docs.json",
  entryPoints: [...entries.keys()],
  plugin: [nameEntries, checkProperties],
  excludePrivate: true,
  excludeInternal: true,
  disableGit: true,
  sourceLinkTemplate: "{path}",
  requiredToBeDocumented: documented,
  packagesRequiringDocumentation: names,
  validation: { notDocumented: true, invalidLink: true, notExported: true },
  treatWarningsAsErrors: true,
  out: "docs/api",
};
export default config;
