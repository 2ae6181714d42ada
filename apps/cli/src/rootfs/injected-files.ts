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
  let left = maxBytes;
  for (const text of texts) {
    const { source, path, mode } = parseInjection(text);
    await using file = await openFile(resolve(cwd, source));
    const size = await file.size();
    left -= size;
    if (left < 0) throw badInjection(text, `the files are larger than ${maxBytes} bytes together`);
    files.push({ path, mode, content: await file.read(0, size) });
  }
  const paths = new Set(files.map(({ path }) => path));
  if (paths.size === files.length) return files;
  throw badInjection(texts.join(" "), "two files have one path in the image");
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
  const isPlain = path.startsWith("/") && !/\/$/.test(path) && !names.includes("..");
  if (!isPlain) throw badInjection(text, "DST must be an absolute path of a file, without ..");
  if (names.some((name) => name.startsWith(".wh."))) {
    throw badInjection(text, "a name that starts with .wh. would remove files");
  }
  return { source, path, mode: Number.parseInt(digits, 8) };
}

function badInjection(text: string, why: string): CliError {
  return new CliError({
    code: "CLI_INVALID_ARGUMENT",
    message: `--inject: cannot inject ${JSON.stringify(text)}: ${why}`,
    hint: "write SRC:DST:MODE, such as ./agent:/sbin/agent:0755",
  });
}
