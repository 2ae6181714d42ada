import { existsSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { isBoxError } from "@box/errors";
import type { OpenFile } from "@box/io";
import { createImage } from "@box/qcow2";
import type { CommandContext } from "../../command/define-command.ts";
import { aboutFile } from "../../disks/about-file.ts";
import {
  type BackingFacts,
  lookAtBacking,
  type NamedBacking,
  readBacking,
} from "../../disks/backing.ts";
import { fileSizesOf } from "../../disks/file-sizes.ts";
import { givenImageFlags, requireQcow2, toImageOptions } from "../../disks/image-options.ts";
import { createDiskFile, type NewFileRequest, requireOtherFile } from "../../disks/new-file.ts";
import { identitiesOf, openDisk } from "../../disks/open-disk.ts";
import { parseDiskSize } from "../../disks/parse-disk-size.ts";
import { CliError } from "../../errors.ts";
import { formatFields, formatSize } from "../../output/table.ts";
import type { DiskCreateInput, DiskCreateOutput } from "./schemas.ts";

/** Makes the file, and its data file first when it has one. */
export async function run(
  input: DiskCreateInput,
  context: CommandContext,
): Promise<DiskCreateOutput> {
  const { file, inputFormat: format = "qcow2", dataFile } = input;
  if (format === "raw") requireQcow2(qcow2Flags(input), "leave -f raw out, or the flag");
  const backing = readBacking(input);
  const below = backing && (await lookAtBacking(file, backing, context));
  const virtualSizeBytes = sizeOf(input, below);
  const make = (target: OpenFile, data?: OpenFile) =>
    aboutFile(file, () => fill(target, data, virtualSizeBytes, input, backing, context));
  const inputs = [below?.identity, ...(await identitiesBelow(input, backing, context))];
  const newFile = { file, force: input.force, inputs };
  if (dataFile === undefined) await createDiskFile(newFile, context, make);
  else await createBoth(dataFile, newFile, context, make);
  return {
    ...{ file, format, virtualSizeBytes },
    ...(await fileSizesOf(file, context)),
    ...(backing && { backing }),
    ...(dataFile !== undefined && { dataFile }),
  };
}

/** One line each. */
export function text(output: DiskCreateOutput): string {
  const { file, format, virtualSizeBytes, fileSizeBytes, backing, dataFile } = output;
  return formatFields([
    ["file", file],
    ["format", format],
    ["virtual size", `${formatSize(virtualSizeBytes)} (${virtualSizeBytes} bytes)`],
    ["file size", `${formatSize(fileSizeBytes)}, ${formatSize(output.allocatedBytes)} on disk`],
    ...(backing ? [["backing", `${backing.name} (${backing.format})`] as const] : []),
    ...(dataFile === undefined ? [] : [["data file", dataFile] as const]),
  ]);
}

/** The file. */
export function identifiers({ file }: DiskCreateOutput): readonly string[] {
  return [file];
}

/** The size that was given, else that of the backing file. */
function sizeOf({ file, size }: DiskCreateInput, below: BackingFacts | undefined): number {
  const sizeBytes = size === undefined ? below?.sizeBytes : parseDiskSize(size);
  if (sizeBytes !== undefined) return sizeBytes;
  throw new CliError({
    code: "CLI_USAGE",
    message: "box disk create needs a SIZE, or a backing file to take it from",
    hint: `run: box disk create ${file} 10GiB`,
  });
}

/**
 * The files that the backing file stands on, which a new file must not replace.
 *
 * @throws CliError `CLI_INVALID_ARGUMENT` when the chain cannot be opened to its end, and there is a file to lose.
 */
async function identitiesBelow(
  { file, force }: DiskCreateInput,
  backing: NamedBacking | undefined,
  context: CommandContext,
): Promise<(string | undefined)[]> {
  if (!force || backing === undefined) return [];
  const path = resolve(context.cwd, dirname(file), backing.name);
  const folders = new Set([dirname(path), dirname(resolve(context.cwd, file))]);
  const { format } = backing;
  try {
    await using disk = await openDisk({ file: path, format, allow: [...folders] }, context);
    return identitiesOf(disk);
  } catch (error) {
    // Without a file to lose, what keeps the chain from being opened is told when the new image is.
    if (!isBoxError(error) || !existsSync(resolve(context.cwd, file))) return [];
    throw new CliError({
      code: "CLI_INVALID_ARGUMENT",
      message: `${file} may be what ${backing.name} stands on: ${error.message}`,
      details: { file },
      hint: `remove ${file} first if nothing needs it, or choose another name`,
      cause: error,
    });
  }
}

async function fill(
  target: OpenFile,
  data: OpenFile | undefined,
  virtualSizeBytes: number,
  input: DiskCreateInput,
  backing: NamedBacking | undefined,
  { signal }: CommandContext,
): Promise<void> {
  const { inputFormat, compression, preallocation, dataFile, dataFileRaw } = input;
  if (inputFormat === "raw") {
    await target.truncate?.(virtualSizeBytes);
    return;
  }
  await createImage(target, {
    virtualSizeBytes,
    ...toImageOptions(input),
    ...(compression && { compressionType: compression }),
    ...(preallocation && { preallocation }),
    ...(backing && { backing }),
    ...(dataFile !== undefined &&
      data && { dataFile: { name: dataFile, isRaw: dataFileRaw ?? false, target: data } }),
    signal,
  });
}

/** The image gets its name after its data file has: an image without its data would be of no use. */
async function createBoth(
  dataFile: string,
  image: NewFileRequest,
  context: CommandContext,
  make: (target: OpenFile, data: OpenFile) => Promise<void>,
): Promise<void> {
  const data = { ...image, file: resolve(context.cwd, dirname(image.file), dataFile) };
  await requireOtherFile(image.file, data.file, context);
  await createDiskFile(image, context, (target) =>
    createDiskFile(data, context, (content) => make(target, content)),
  );
}

function qcow2Flags(input: DiskCreateInput): string[] {
  const { backing, dataFile, dataFileRaw, compression, preallocation } = input;
  const own = Object.entries({
    "--backing": backing,
    "--data-file": dataFile,
    "--data-file-raw": dataFileRaw,
    "--compression": compression,
    "--preallocation": preallocation,
  });
  const given = own.filter(([, value]) => value !== undefined).map(([flag]) => flag);
  return [...given, ...givenImageFlags(input)];
}
