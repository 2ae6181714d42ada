import { type KeptCode, keptCodeFolder, readKeptCode, writeKeptCode } from "./kept-code.ts";

/** What the program's own file exports. */
interface Program {
  /** Runs it; whoever calls is told which words are commands. */
  main(known: (isCommand: (word: string) => boolean) => void): Promise<never>;
}

/** How often a command's code is kept: each run compiles what those before it did not need. */
const times = 3;

/** When there is more, most of it is of programs that are no longer there: what this run needed is enough. */
const manyBytes = 16 * 2 ** 20;

/**
 * Runs the program in a folder, of CommonJS, and keeps what Node.js compiled of it: of the functions that were called too, which Node.js's
 * own cache leaves out.
 */
export async function runProgram(folder: string, file: string): Promise<never> {
  const kept = keptCodeFolder(process.env);
  const loader = new Loader(folder, kept === undefined ? undefined : findKept(kept));
  let isCommand = (_word: string): boolean => false;
  process.once("exit", (exitCode) => {
    const word = words().find((each) => isCommand(each));
    if (kept === undefined || word === undefined || exitCode !== 0) return;
    const grown = loader.grown();
    if (grown !== undefined) writeKeptCode(keptPath(kept, word), grown);
  });
  const program = loader.load(file) as Program;
  return program.main((known) => {
    isCommand = known;
  });
}

/** The arguments that may be a command. */
function words(): string[] {
  return process.argv.slice(2).filter((argument) => /^[a-z][a-z0-9-]{0,31}$/.test(argument));
}

function keptPath(folder: string, word: string): string {
  return `${folder}/${word}-${process.version}-${process.arch}`;
}

function findKept(folder: string): KeptCode | undefined {
  for (const word of words()) {
    const found = readKeptCode(keptPath(folder, word));
    if (found !== undefined) return found;
  }
  return undefined;
}

const wrapper = [
  '(function (exports, require, module, __filename, __dirname) { "use strict"; ',
  "\n})",
] as const;

/** Loads files of CommonJS from one folder. */
class Loader {
  readonly #folder: string;
  readonly #kept: KeptCode;
  readonly #modules = new Map<string, { exports: unknown }>();
  readonly #scripts = new Map<string, { createCachedData(): Buffer }>();
  #hasNew = false;

  constructor(folder: string, kept: KeptCode = { times: 0, codes: new Map() }) {
    this.#folder = folder;
    this.#kept = kept;
  }

  load(name: string): unknown {
    const known = this.#modules.get(name);
    if (known !== undefined) return known.exports;
    const module = { exports: {} };
    this.#modules.set(name, module);
    const filename = `${this.#folder}/${name}`;
    const require = (id: string): unknown =>
      id.startsWith("./") ? this.load(id.slice(2)) : process.getBuiltinModule(id);
    this.#compile(name, filename)(module.exports, require, module, filename, this.#folder);
    return module.exports;
  }

  /** What is to be kept now; nothing when that is what is kept already. */
  grown(): KeptCode | undefined {
    if (!this.#hasNew && this.#kept.times >= times) return undefined;
    const codes = new Map(bytesOf(this.#kept) > manyBytes ? [] : this.#kept.codes);
    for (const [stamp, script] of this.#scripts) codes.set(stamp, script.createCachedData());
    return { times: this.#hasNew ? 1 : this.#kept.times + 1, codes };
  }

  #compile(name: string, filename: string): (...values: unknown[]) => void {
    const { closeSync, fstatSync, openSync, readFileSync } = process.getBuiltinModule("node:fs");
    const { Script } = process.getBuiltinModule("node:vm");
    const fd = openSync(filename, "r");
    try {
      const { mtimeMs } = fstatSync(fd);
      const text = readFileSync(fd, "utf8");
      // V8 compares lengths only, and installers may give all files one time: names have a digest of the content, but for the first.
      const content = this.#modules.size === 1 ? text : text.length;
      const stamp = `${name} ${mtimeMs} ${content}`;
      const cachedData = this.#kept.codes.get(stamp);
      const script = new Script(wrapper[0] + text + wrapper[1], {
        filename,
        columnOffset: -wrapper[0].length,
        ...(cachedData === undefined ? {} : { cachedData }),
      });
      this.#hasNew ||= script.cachedDataRejected ?? true;
      this.#scripts.set(stamp, script);
      return script.runInThisContext() as (...values: unknown[]) => void;
    } finally {
      closeSync(fd);
    }
  }
}

function bytesOf({ codes }: KeptCode): number {
  let bytes = 0;
  for (const code of codes.values()) bytes += code.byteLength;
  return bytes;
}
