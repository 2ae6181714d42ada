/** A change of files that a process made, in the order in which the calls came back. */
export type FileChange =
  | { readonly type: "create" | "makeFolder" | "remove"; readonly path: string }
  | { readonly type: "rename" | "link"; readonly path: string; readonly to: string }
  | { readonly type: "open"; readonly path: string; readonly file: number }
  | {
      readonly type: "write";
      readonly file: number;
      readonly offset: number | "end";
      readonly bytes: Uint8Array;
    }
  | { readonly type: "truncate"; readonly file: number; readonly sizeBytes: number }
  | { readonly type: "sync"; readonly file: number }
  | { readonly type: "print"; readonly text: string };

/** Calls that strace has to tell. */
export const tracedCalls: readonly string[] = [
  "openat,close,write,pwrite64,writev,pwritev,pwritev2,ftruncate,fallocate,fsync,fdatasync",
  "rename,renameat,renameat2,link,linkat,unlink,unlinkat,mkdir,mkdirat,rmdir",
  "dup,dup2,dup3,copy_file_range,sendfile,symlink,symlinkat",
];

/** A call that came back without an error. */
interface Call {
  readonly name: string;
  readonly args: readonly string[];
  readonly result: number;
}

/**
 * Reads what `strace -f -xx -s LARGE` has told, and keeps what happened below a folder.
 *
 * @throws Error for a call on such a file that is not known here.
 */
export function readFileLog(log: string, folder: string): FileChange[] {
  const changes: FileChange[] = [];
  /** Numbers of opened files below the folder, and where the next write goes, by descriptor. */
  const open = new Map<number, { readonly file: number; position: number | "end" }>();
  let files = 0;
  const isInside = (path: string): boolean => path === folder || path.startsWith(`${folder}/`);
  for (const { name, args, result } of callsOf(log)) {
    const descriptor = Number(args[0]);
    const opened = open.get(descriptor);
    if (name === "openat") {
      const path = textOf(args[1]);
      const flags = args[2] ?? "";
      if (!isInside(path)) continue;
      if (flags.includes("O_CREAT")) changes.push({ type: "create", path });
      changes.push({ type: "open", path, file: ++files });
      open.set(result, { file: files, position: flags.includes("O_APPEND") ? "end" : 0 });
      if (flags.includes("O_TRUNC")) changes.push({ type: "truncate", file: files, sizeBytes: 0 });
    } else if (name === "close") {
      open.delete(descriptor);
    } else if (name === "write" && descriptor === 1) {
      changes.push({ type: "print", text: textOf(args[1]) });
    } else if (opened !== undefined) {
      const { file } = opened;
      if (name === "pwrite64") {
        const bytes = bytesOf(args[1]).subarray(0, result);
        changes.push({ type: "write", file, offset: Number(args[3]), bytes });
      } else if (name === "write") {
        const bytes = bytesOf(args[1]).subarray(0, result);
        changes.push({ type: "write", file, offset: opened.position, bytes });
        if (opened.position !== "end") opened.position += result;
      } else if (name === "ftruncate") {
        changes.push({ type: "truncate", file, sizeBytes: Number(args[1]) });
      } else if (name === "fsync" || name === "fdatasync") {
        changes.push({ type: "sync", file });
      } else throw new Error(`${name} of a file below ${folder} is not known`);
    } else changes.push(...pathChanges(name, args, isInside));
  }
  return changes;
}

function pathChanges(
  name: string,
  args: readonly string[],
  isInside: (path: string) => boolean,
): FileChange[] {
  const [path = "", to = ""] = args.filter((arg) => arg.startsWith('"')).map(textOf);
  if (!isInside(path)) return [];
  if (name === "rename" || name === "link") return [{ type: name, path, to }];
  if (name === "unlink" || name === "rmdir") return [{ type: "remove", path }];
  if (name === "mkdir") return [{ type: "makeFolder", path }];
  throw new Error(`${name} of ${path} is not known`);
}

/** Calls that succeeded, put together where another thread's came between. */
function* callsOf(log: string): Generator<Call> {
  const begun = new Map<string, string>();
  for (const line of log.split("\n")) {
    const [, thread = "", said = ""] = /^(\d+) +(.*)$/.exec(line) ?? [];
    const start = said.indexOf(" <unfinished ...>");
    if (start >= 0) {
      begun.set(thread, said.slice(0, start));
      continue;
    }
    const resumed = said.indexOf(" resumed>");
    const whole =
      said.startsWith("<...") && resumed >= 0
        ? (begun.get(thread) ?? "") + said.slice(resumed + " resumed>".length)
        : said;
    const end = whole.lastIndexOf(") ");
    const [, result] = /^\)\s+= (\d+)/.exec(whole.slice(end)) ?? [];
    const bracket = whole.indexOf("(");
    if (result === undefined || bracket < 0) continue;
    const args = whole.slice(bracket + 1, end).split(", ");
    yield { name: whole.slice(0, bracket), args, result: Number(result) };
  }
}

function bytesOf(hex = ""): Uint8Array {
  return Buffer.from(hex.slice(1, -1).replaceAll("\\x", ""), "hex");
}

function textOf(hex = ""): string {
  return new TextDecoder().decode(bytesOf(hex));
}
