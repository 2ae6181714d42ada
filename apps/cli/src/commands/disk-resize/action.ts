import type { ResizeOptions } from "@box/qcow2";
import type { CommandContext } from "../../command/define-command.ts";
import { aboutFile } from "../../disks/about-file.ts";
import { type OpenDisk, openDisk } from "../../disks/open-disk.ts";
import { parseNewSize } from "../../disks/parse-disk-size.ts";
import { showProgress } from "../../disks/show-progress.ts";
import { CliError } from "../../errors.ts";
import { formatFields, formatSize } from "../../output/table.ts";
import type { DiskResizeInput, DiskResizeOutput } from "./schemas.ts";

/** Changes the size in place. */
export async function run(
  input: DiskResizeInput,
  context: CommandContext,
): Promise<DiskResizeOutput> {
  const { file, size, inputFormat, shrink = false, preallocation = "off", allow } = input;
  const request = {
    file,
    format: inputFormat,
    allow,
    mode: "rw",
    command: "box disk resize",
  } as const;
  await using disk = await openDisk(request, context);
  const { format, sizeBytes: oldSizeBytes } = disk;
  const virtualSizeBytes = parseNewSize(size, oldSizeBytes);
  if (virtualSizeBytes < oldSizeBytes && !shrink)
    throw wouldCut(file, oldSizeBytes, virtualSizeBytes);
  const tell = await showProgress(context, "preallocate", file);
  const onProgress: ResizeOptions["onProgress"] = ({ doneBytes, totalBytes }) =>
    tell(doneBytes, totalBytes);
  const options = { shrink, preallocation, onProgress };
  await aboutFile(file, () => resize(disk, virtualSizeBytes, options));
  return { file, format, oldSizeBytes, virtualSizeBytes };
}

/** One line each. */
export function text({ file, oldSizeBytes, virtualSizeBytes }: DiskResizeOutput): string {
  return formatFields([
    ["file", file],
    ["size before", formatSize(oldSizeBytes)],
    ["virtual size", `${formatSize(virtualSizeBytes)} (${virtualSizeBytes} bytes)`],
  ]);
}

/** The file. */
export function identifiers({ file }: DiskResizeOutput): readonly string[] {
  return [file];
}

async function resize(
  { image, source }: OpenDisk,
  sizeBytes: number,
  options: ResizeOptions,
): Promise<void> {
  if (image === undefined) {
    if (options.preallocation !== "off") throw rawPreallocation();
    await source.truncate?.(sizeBytes);
    await source.flush?.();
    return;
  }
  await image.resize(sizeBytes, options);
  await image.flush();
}

function rawPreallocation(): CliError {
  return new CliError({
    code: "CLI_UNSUPPORTED",
    message: "a raw disk is made larger without any data; only qcow2 images are preallocated",
    hint: "leave --preallocation out",
  });
}

function wouldCut(file: string, from: number, to: number): CliError {
  return new CliError({
    code: "CLI_INVALID_ARGUMENT",
    message: `${file}: ${to} bytes would cut ${from - to} bytes off the end of the disk`,
    details: { file, from, to },
    hint: "make the file system in it smaller first, then add --shrink",
  });
}
