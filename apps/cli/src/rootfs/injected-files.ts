import { resolve } from "node:path";
import { openFile } from "@box/io/node";
import type { InjectedFile } from "@box/rootfs";
import { CliError } from "../errors.ts";

/** Files are held in memory while the image is built. */
const maxBytes = 512 * 2 ** 20;

/**
 * Reads the files that `--inject SRC:DST:MODE` names. SRC may have colons in it, DST may not.
 *
 * @throws {@link CliError} `CLI_INVALID_ARGUMENT`; IoError.
 */
export async function readInjectedFiles(
  texts: readonly string[],
  cwd: string,
): Promise<InjectedFile[]> {
  const files: InjectedFile[] = [];
  const paths = new Set<string>();
  let left = maxBytes;
  for (const text of texts) {
    const { source, path, mode } = parseInjection(text);
    await using file = await openFile(resolve(cwd, source));
    const size = await file.size();
    left -= size;
    if (left < 0) throw badInjection(text, `the files are larger than ${maxBytes} bytes together`);
    if (paths.has(path)) throw badInjection(text, "another file has the same path in the image");
    paths.add(path);
    const content = await file.read(0, size + 1);
    if (content.byteLength !== size) {
      throw badInjection(
        text,
        "its size is not what the system says, as of files in /proc, or changes",
      );
    }
    files.push({ path, mode, content });
  }
  return files;
}

function parseInjection(text: string): {
  readonly source: string;
  readonly path: string;
  readonly mode: number;
} {
  const [, source = "", path = "", digits = ""] = /^(.+):([^:]+):([^:]*)$/.exec(text) ?? [];
  if (source === "") throw badInjection(text, "it is not SRC:DST:MODE");
  if (!/^0?[0-7]{3,4}$/.test(digits)) throw badInjection(text, `${digits} is no octal mode`);
  const names = path.split("/");
  const isPlain = path.startsWith("/") && !/\/\.?$/.test(path) && !names.includes("..");
  if (!isPlain) throw badInjection(text, "DST must be an absolute path of a file, without ..");
  if (names.some((name) => name.startsWith(".wh."))) {
    throw badInjection(text, "a name that starts with .wh. would remove files");
  }
  const plain = `/${names.filter((name) => name !== "" && name !== ".").join("/")}`;
  if (plain === "/lost+found") throw badInjection(text, "every ext4 file system has that folder");
  return { source, path: plain, mode: Number.parseInt(digits, 8) };
}

function badInjection(text: string, why: string): CliError {
  return new CliError({
    code: "CLI_INVALID_ARGUMENT",
    message: `--inject: cannot inject ${JSON.stringify(text)}: ${why}`,
    hint: "write SRC:DST:MODE, such as ./agent:/sbin/agent:0755",
  });
}
