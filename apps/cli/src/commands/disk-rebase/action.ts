import { dirname, resolve } from "node:path";
import { openFile } from "@box/io/node";
import { type FileResolver, rebaseImage } from "@box/qcow2";
import { blockingNodeCodec } from "@box/qcow2/node";
import type { CommandContext } from "../../command/define-command.ts";
import { aboutFile } from "../../disks/about-file.ts";
import { allowedFolders, resolverWithin } from "../../disks/allowed-folders.ts";
import { lookAtBacking, type NamedBacking, readBacking } from "../../disks/backing.ts";
import { openToChange } from "../../disks/in-use.ts";
import { readPassphrase } from "../../disks/passphrase.ts";
import { showProgress } from "../../disks/show-progress.ts";
import { warnOfSnapshots } from "../../disks/warn-of-snapshots.ts";
import { CliError } from "../../errors.ts";
import { formatFields, formatSize } from "../../output/table.ts";
import type { DiskRebaseInput, DiskRebaseOutput } from "./schemas.ts";

/** Changes the backing file in place. */
export async function run(
  input: DiskRebaseInput,
  context: CommandContext,
): Promise<DiskRebaseOutput> {
  const { file, unsafe = false } = input;
  const backing = wantedBacking(input);
  const { cwd, signal } = context;
  const path = resolve(cwd, file);
  return await aboutFile(file, async () => {
    await using source = await openToChange({ file, path, command: "box disk rebase" });
    if (backing !== undefined && !unsafe) await lookAtBacking(file, backing, context);
    const resolver = await resolverFor(input, path, backing, cwd);
    const { passphraseFile } = input;
    const passphrase =
      passphraseFile === undefined ? undefined : await readPassphrase(passphraseFile, cwd);
    if (!unsafe) await warnOfSnapshots(file, source, "rebase", context);
    const tell = await showProgress(context, "rebase", file);
    const { copiedBytes } = await rebaseImage(source, {
      newBacking: backing ?? null,
      isUnsafe: unsafe,
      backing: resolver,
      dataFile: resolver,
      location: path,
      codec: blockingNodeCodec,
      signal,
      ...(passphrase === undefined ? {} : { passphrase }),
      onProgress: ({ doneBytes, totalBytes }) => tell(doneBytes, totalBytes),
    });
    await source.flush?.();
    return { file, ...(backing && { backing }), copiedBytes };
  });
}

/** One line each. */
export function text({ file, backing, copiedBytes }: DiskRebaseOutput): string {
  return formatFields([
    ["file", file],
    ["backing", backing === undefined ? "none" : `${backing.name} (${backing.format})`],
    ["copied", formatSize(copiedBytes)],
  ]);
}

/** The file. */
export function identifiers({ file }: DiskRebaseOutput): readonly string[] {
  return [file];
}

function wantedBacking(input: DiskRebaseInput): NamedBacking | undefined {
  const backing = readBacking(input);
  if ((backing === undefined) === (input.standalone === true)) return backing;
  throw new CliError({
    code: "CLI_USAGE",
    message: "box disk rebase needs either --backing with --backing-format, or --standalone",
    hint: "run: box disk rebase --help",
  });
}

/** The new backing file may be anywhere, for the command line names it; all others are below the allowed folders. */
async function resolverFor(
  { allow }: DiskRebaseInput,
  path: string,
  backing: NamedBacking | undefined,
  cwd: string,
): Promise<FileResolver> {
  const within = resolverWithin(await allowedFolders(allow, path, cwd), () => {});
  return async (request) => {
    const isNamed = request.depth === 1 && request.name === backing?.name;
    if (!isNamed || backing === undefined) return within(request);
    const location = resolve(dirname(path), backing.name);
    return { source: await openFile(location), location };
  };
}
