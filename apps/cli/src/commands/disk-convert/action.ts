import type { RandomAccess } from "@box/io";
import { convertImage } from "@box/qcow2";
import { nodeCodec } from "@box/qcow2/node";
import type { CommandContext } from "../../command/define-command.ts";
import { aboutFile } from "../../disks/about-file.ts";
import { fileSizesOf } from "../../disks/file-sizes.ts";
import { givenImageFlags, requireQcow2, toImageOptions } from "../../disks/image-options.ts";
import { isInUse } from "../../disks/in-use.ts";
import { createDiskFile } from "../../disks/new-file.ts";
import { type DiskFormat, identitiesOf, type OpenDisk, openDisk } from "../../disks/open-disk.ts";
import { showProgress, showWarning } from "../../disks/show-progress.ts";
import { CliError } from "../../errors.ts";
import { formatFields, formatSize } from "../../output/table.ts";
import type { DiskConvertInput, DiskConvertOutput } from "./schemas.ts";

/** Copies the disk to a file that gets its name when it is whole. */
export async function run(
  input: DiskConvertInput,
  context: CommandContext,
): Promise<DiskConvertOutput> {
  const { src, dst, inputFormat, allow, passphraseFile, force } = input;
  const target = targetOf(input);
  const request = { file: src, format: inputFormat, allow, passphraseFile };
  await using disk = await openDisk(request, context);
  await warn(input, target.format, disk, context);
  const content = await contentOf(disk, input.snapshot);
  const tell = await showProgress(context, "convert", dst);
  const newFile = { file: dst, force, inputs: identitiesOf(disk) };
  const { signal } = context;
  await createDiskFile(newFile, context, (file) =>
    aboutFile(src, () =>
      convertImage(content, file, {
        ...target,
        ...toImageOptions(input),
        codec: nodeCodec,
        signal,
        onProgress: ({ doneBytes, totalBytes }) => tell(doneBytes, totalBytes),
      }),
    ),
  );
  return {
    src,
    srcFormat: disk.format,
    dst,
    dstFormat: target.format,
    ...(target.compressed && { compression: target.compressed }),
    virtualSizeBytes: await content.size(),
    ...(await fileSizesOf(dst, context)),
  };
}

/** One line each. */
export function text(output: DiskConvertOutput): string {
  const { src, srcFormat, dst, dstFormat, compression } = output;
  const compressed = compression === undefined ? "" : `, compressed with ${compression}`;
  return formatFields([
    ["file", dst],
    ["format", `${dstFormat}${compressed}`],
    ["from", `${src} (${srcFormat})`],
    ["virtual size", formatSize(output.virtualSizeBytes)],
    [
      "file size",
      `${formatSize(output.fileSizeBytes)}, ${formatSize(output.allocatedBytes)} on disk`,
    ],
  ]);
}

/** The file. */
export function identifiers({ dst }: DiskConvertOutput): readonly string[] {
  return [dst];
}

interface Target {
  readonly format: DiskFormat;
  readonly compressed?: "zlib" | "zstd";
}

/** Raw unless said otherwise, as with qemu-img; but only a qcow2 image can be compressed. */
function targetOf(input: DiskConvertInput): Target {
  const { outputFormat, compress, compression } = input;
  const isCompressed = compress === true || compression !== undefined;
  const format = outputFormat ?? (isCompressed ? "qcow2" : "raw");
  if (format === "raw") {
    const flags = [
      ...(compress ? ["-c"] : []),
      ...(compression === undefined ? [] : ["--compression"]),
      ...givenImageFlags(input),
    ];
    requireQcow2(flags, "add -O qcow2, or leave the flag out");
  }
  return { format, ...(isCompressed && { compressed: compression ?? "zlib" }) };
}

async function contentOf(disk: OpenDisk, snapshot: string | undefined): Promise<RandomAccess> {
  if (snapshot === undefined) return disk.content;
  const { image, file } = disk;
  if (image !== undefined) return aboutFile(file, () => image.openSnapshot(snapshot));
  throw new CliError({
    code: "CLI_UNSUPPORTED",
    message: `--snapshot: ${file} is a raw disk, which has no snapshots`,
    hint: "leave --snapshot out",
  });
}

/** What is odd about the command line or the source, and no reason to stop. */
async function warn(
  { src, dst, outputFormat }: DiskConvertInput,
  format: DiskFormat,
  disk: OpenDisk,
  context: CommandContext,
): Promise<void> {
  if (format === "raw" && outputFormat === undefined && /\.qcow2?$/i.test(dst)) {
    const message = `${dst} will be a raw disk, whatever its name says; add -O qcow2 for an image`;
    await showWarning(context, "convert", "CLI_FORMAT", message);
  }
  if (await isInUse(disk.source)) {
    const message = `${src} is in use by another process: while it is written, the copy may be inconsistent`;
    await showWarning(context, "convert", "CLI_FILE_IN_USE", message);
  }
}
