import type { Plugin } from "rolldown";

const passedOn = /^export\s*\{([^{}]*)\}\s*from\s*"\.\/([^"]+)";\s*(?:\/\/# sourceMappingURL=.*)?\s*$/;

/**
 * Has files imported late that were put together with others, without a file between that only passes their names on: each costs what
 * finding, reading and linking a file costs.
 */
export function withoutPassingOn(): Plugin {
  return {
    name: "without-passing-on",
    generateBundle(_options, bundle) {
      for (const [fileName, between] of Object.entries(bundle)) {
        if (between.type !== "chunk" || between.isEntry) continue;
        const [, names = "", target = ""] = passedOn.exec(between.code) ?? [];
        // What has another name there cannot be had from there. No name may get longer: where all else is stays as the source map says.
        if (target === "" || /\sas\s/.test(names) || target.length > fileName.length) continue;
        const old = `import("./${fileName}")`;
        const direct = `import("./${target}"${" ".repeat(fileName.length - target.length)})`;
        for (const chunk of Object.values(bundle)) {
          if (chunk.type === "chunk") chunk.code = chunk.code.replaceAll(old, direct);
        }
        const isNeeded = Object.values(bundle).some(
          (other) => other.type === "chunk" && other !== between && other.code.includes(`"./${fileName}"`),
        );
        if (isNeeded) continue;
        delete bundle[fileName];
        delete bundle[`${fileName}.map`];
      }
    },
  };
}
