import { spawnSync } from "node:child_process";
import {
  cpSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";

/** The repository under test. */
export const root: string = join(import.meta.dirname, "../../..");

/** What a tool said and how it ended. */
export interface ToolResult {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
  /** Both streams, for messages of failing tests. */
  readonly output: string;
}

/** Runs a program with the repository's tools first in PATH. */
export function runTool(
  program: string,
  args: readonly string[],
  options: { readonly cwd: string; readonly env?: NodeJS.ProcessEnv },
): ToolResult {
  const tools = join(root, "node_modules", ".bin");
  const path = [tools, dirname(process.execPath), process.env["PATH"]].join(delimiter);
  const { status, stdout, stderr, error } = spawnSync(program, args, {
    cwd: options.cwd,
    encoding: "utf8",
    maxBuffer: 64 * 1024 * 1024,
    timeout: 110_000,
    env: { ...process.env, PATH: path, NO_COLOR: "1", FORCE_COLOR: undefined, ...options.env },
  });
  if (error !== undefined) throw error;
  return { code: status, stdout, stderr, output: `${stdout}\n${stderr}` };
}

/** A folder that is removed when its test is over. */
export class TemporaryFolder implements Disposable {
  readonly path: string = mkdtempSync(join(tmpdir(), "box-checks-"));

  /** Writes files by their paths; objects become JSON. */
  write(files: Readonly<Record<string, string | object>>): void {
    for (const [name, content] of Object.entries(files)) {
      const path = join(this.path, name);
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, typeof content === "string" ? content : JSON.stringify(content));
    }
  }

  /** Copies files or folders of the repository to the same place. */
  copy(...names: readonly string[]): void {
    for (const name of names) {
      cpSync(join(root, name), join(this.path, name), { recursive: true });
    }
  }

  /** The text of a file. */
  read(name: string): string {
    return readFileSync(join(this.path, name), "utf8");
  }

  [Symbol.dispose](): void {
    rmSync(this.path, { recursive: true, force: true });
  }
}

/** The part of a package.json that the checks look at. */
export interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly private?: boolean;
  readonly files?: readonly string[];
  readonly scripts?: Readonly<Record<string, string>>;
  readonly exports?: Readonly<Record<string, string | Readonly<Record<string, string>>>>;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
  readonly "size-limit"?: readonly { readonly path: string; readonly limit: string }[];
}

/** The manifests of all workspaces by folder, such as `packages/errors`. */
export function readManifests(pattern = "{packages,apps,tooling,examples}"): Map<string, Manifest> {
  const paths = globSync(`${pattern}/*/package.json`, { cwd: root }).sort();
  return new Map(
    paths.map((path) => [dirname(path), JSON.parse(readFileSync(join(root, path), "utf8"))]),
  );
}

/** The scope that the packages are published under, which `pnpm rename-scope` changes. */
export const scope: string =
  readManifests("packages").get("packages/errors")?.name.split("/")[0] ?? "";
