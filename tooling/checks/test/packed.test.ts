import { existsSync, globSync, readdirSync } from "node:fs";
import { dirname, join } from "node:path";
import ts from "typescript";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  type Manifest,
  readManifests,
  root,
  runTool,
  scope,
  TemporaryFolder,
} from "./workspace.ts";

/** What npm would publish: the tarball's name, its files and its manifest. */
interface Packed {
  readonly tarball: string;
  readonly files: readonly string[];
  readonly manifest: Manifest;
}

/** Layers 0 to 2: they stand alone. */
const alone = ["errors", "io", "qcow2", "ext4", "tar", "pipeline"];

describe("packed packages", () => {
  const folder = new TemporaryFolder();
  const packed = new Map<string, Packed>();

  beforeAll(() => {
    for (const [path, { name }] of readManifests("{packages,apps}")) {
      packed.set(name.replace("@box/", ""), pack(folder, path));
    }
  });
  afterAll(() => folder[Symbol.dispose]());

  it("hold the build, the documents and the manifest, and nothing else", () => {
    const allowed =
      /^(package\.json|README\.md|CHANGELOG\.md|LICENSE|dist\/[\w./-]+\.(c?js|d\.ts|c?js\.map|json|css|html|svg|wasm|bin|c|h)|dist\/agent\/box-agent-(x64|arm64))$/;
    for (const [name, { files }] of packed) {
      expect(
        files.filter((file) => !allowed.test(file)),
        name,
      ).toEqual([]);
      expect(files, name).toEqual(expect.arrayContaining(["package.json", "README.md"]));
      expect(
        files.some((file) => file.startsWith("dist/")),
        `${name} is built`,
      ).toBe(true);
    }
  });

  it("name no workspace, no catalog and no source of this repository", () => {
    for (const [name, { manifest }] of packed) {
      const { devDependencies: _, ...published } = manifest;
      expect(JSON.stringify(published), name).not.toMatch(/workspace:|catalog:|\.\/src\//);
      expect(JSON.stringify(published), name).not.toContain("@box/source");
      expect(JSON.stringify(manifest), name).not.toMatch(/workspace:|catalog:/);
    }
  });

  it("run nothing when they are installed", () => {
    const hooks = ["preinstall", "install", "postinstall", "prepare", "prepublish"];
    for (const [name, { manifest }] of packed) {
      expect(
        Object.keys(manifest.scripts ?? {}).filter((each) => hooks.includes(each)),
        name,
      ).toEqual([]);
    }
  });

  it("point every entry at a packed file", () => {
    for (const [name, { manifest, files }] of packed) {
      const targets = Object.values(manifest.exports ?? {}).flatMap((target) =>
        typeof target === "string" ? [target] : Object.values(target),
      );
      for (const target of targets) expect(files, name).toContain(target.replace("./", ""));
    }
  });

  it.each(alone)("%s depends on nothing", (name) => {
    expect(packed.get(name)?.manifest.dependencies ?? {}).toEqual({});
  });

  /** What an entry of its own is for: who imports it has the package. */
  const peers: Readonly<Record<string, string>> = {
    "node_modules/@box/pipeline/dist/opentelemetry/": "@opentelemetry/api",
  };

  it.each(alone)("%s imports nothing but Node.js, in code and in types", (name) => {
    using installed = install(folder, [packed.get(name)]);
    for (const file of globSync("node_modules/@box/*/dist/**/*.{js,d.ts}", {
      cwd: installed.path,
    })) {
      const { importedFiles } = ts.preProcessFile(installed.read(file));
      const names = importedFiles.map(({ fileName }) => fileName);
      const peer = peers[`${dirname(file)}/`];
      const foreign = names.filter((name) => name !== peer && !/^(\.{1,2}\/|node:)/.test(name));
      expect(foreign, file).toEqual([]);
    }
  });

  describe("@box/qcow2 in an empty folder", () => {
    const entries = ["@box/qcow2", "@box/qcow2/node", "@box/qcow2/fixtures"];
    let project: TemporaryFolder;
    beforeAll(() => {
      project = install(folder, [packed.get("qcow2")]);
      const imports = entries.map((entry, index) => `import * as entry${index} from "${entry}";`);
      const values = entries.map((_, index) => `Object.keys(entry${index}).length`);
      project.write({
        "consumer.ts": `${imports.join("\n")}\nconst counts: number[] = [${values.join(", ")}];\nconsole.log(JSON.stringify(counts));\n`,
        "files.ts": filesProgram,
        "bare.ts": `${imports.join("\n")}\nexport const all: object[] = [entry0, entry1, entry2];\n`,
      });
    });
    afterAll(() => project[Symbol.dispose]());

    it("is the only package that is installed", () => {
      expect(readdirSync(join(project.path, "node_modules", scope))).toEqual(["qcow2"]);
      const others = readdirSync(join(project.path, "node_modules")).filter(
        (name) => !name.startsWith("."),
      );
      expect(others).toEqual([scope]);
    });

    it.each([
      ["nodenext", "nodenext"],
      ["bundler", "esnext"],
    ])("has types that resolve and hold under moduleResolution %s", (resolution, module) => {
      project.write({
        "tsconfig.json": {
          compilerOptions: {
            ...strict,
            module,
            moduleResolution: resolution,
            types: ["node"],
            typeRoots: [join(root, "node_modules/@types")],
          },
          files: ["consumer.ts", "files.ts"],
        },
      });
      const { code, output } = runTool("tsc", ["-p", "."], { cwd: project.path });
      expect(code, output).toBe(0);
    });

    it("has types that need no types of Node.js", () => {
      project.write({
        "tsconfig.json": {
          compilerOptions: {
            ...strict,
            module: "esnext",
            moduleResolution: "bundler",
            types: [],
            lib: ["es2024", "esnext.disposable", "dom"],
          },
          files: ["bare.ts", "files.ts"],
        },
      });
      const { code, output } = runTool("tsc", ["-p", "."], { cwd: project.path });
      expect(code, output).toBe(0);
    });

    it("runs", () => {
      const { code, stdout, output } = runTool(process.execPath, ["consumer.ts"], {
        cwd: project.path,
      });
      expect(code, output).toBe(0);
      const [core, , fixtures] = JSON.parse(stdout);
      expect(core).toBeGreaterThan(0);
      expect(fixtures).toBeGreaterThan(0);
    });
  });
});

/** Writing to files with this package alone. */
const filesProgram = `import { amendImage, checkImage, commitImage, convertImage, type RandomAccess } from "@box/qcow2";
import { nodeCodec, type OpenFile, openFile, openImageFile, withinDirectory } from "@box/qcow2/node";
export async function all(path: string): Promise<RandomAccess> {
  const file: OpenFile = await openFile(path, { mode: "rw", followLink: false });
  await commitImage(file, { target: withinDirectory("/images"), location: path });
  await amendImage(file, { version: 3 });
  await checkImage(file, { repair: "all" });
  await using copy = await openFile(path + ".copy", { mode: "create" });
  await convertImage(await openImageFile(path), copy, { format: "qcow2", compressed: "zstd", codec: nodeCodec });
  return file;
}
`;

const strict = {
  strict: true,
  exactOptionalPropertyTypes: true,
  noEmit: true,
  skipLibCheck: false,
  target: "es2024",
  lib: ["es2024", "esnext.disposable"],
};

function pack(folder: TemporaryFolder, path: string): Packed {
  expect(existsSync(join(root, path, "dist")), `${path} is built before its test`).toBe(true);
  const { code, output, stdout } = runTool(
    "pnpm",
    ["pack", "--json", "--pack-destination", folder.path],
    { cwd: join(root, path) },
  );
  expect(code, output).toBe(0);
  const { filename, files } = JSON.parse(stdout);
  const manifest = runTool("tar", ["-xzOf", filename, "package/package.json"], {
    cwd: folder.path,
  });
  return {
    tarball: filename,
    files: files.map((file: { readonly path: string }) => file.path),
    manifest: JSON.parse(manifest.stdout),
  };
}

/** Installs tarballs with npm, without a registry, into an empty folder. */
function install(
  folder: TemporaryFolder,
  packages: readonly (Packed | undefined)[],
): TemporaryFolder {
  const project = new TemporaryFolder();
  const tarballs = packages.map((each) => each?.tarball ?? "missing.tgz");
  const options = ["--offline", "--no-audit", "--no-fund", "--loglevel=error"];
  const { code, output } = runTool("npm", ["install", ...options, ...tarballs], {
    cwd: project.path,
    env: { npm_config_cache: join(folder.path, "npm-cache") },
  });
  expect(code, output).toBe(0);
  project.write({ "package.json": { type: "module", private: true } });
  return project;
}
