import {
  type ImageMeasure,
  type MeasureImageOptions,
  measureDisk,
  measureImage,
  toQemuMeasure,
} from "@box/qcow2";
import type { CommandContext } from "../../command/define-command.ts";
import { aboutFile } from "../../disks/about-file.ts";
import { allocationView } from "../../disks/allocation-view.ts";
import { givenImageFlags, requireQcow2, toImageOptions } from "../../disks/image-options.ts";
import { openDisk } from "../../disks/open-disk.ts";
import { parseDiskSize } from "../../disks/parse-disk-size.ts";
import { qemuMapOf } from "../../disks/qemu-map.ts";
import { CliError } from "../../errors.ts";
import { formatExactJson } from "../../output/json.ts";
import { formatFields, formatSize } from "../../output/table.ts";
import type { DiskMeasureInput, DiskMeasureOutput } from "./schemas.ts";

/** Measures a copy of the file, or an empty disk of the given size. */
export async function run(
  input: DiskMeasureInput,
  context: CommandContext,
): Promise<DiskMeasureOutput> {
  const { outputFormat: format = "raw" } = input;
  if (format === "raw") requireQcow2(givenImageFlags(input), "add -O qcow2, or leave the flag out");
  const options = { format, ...toImageOptions(input), signal: context.signal };
  const measure = await measureGiven(input, options, context);
  const isForQemu = context.globals.format === "qemu-json";
  return { format, ...measure, ...(isForQemu && { qemu: toQemuMeasure(measure) }) };
}

/** One line each. */
export function text(output: DiskMeasureOutput): string {
  const { format, requiredBytes, fullyAllocatedBytes, bitmapsBytes = 0 } = output;
  const size = (bytes: number) => `${formatSize(bytes)} (${bytes} bytes)`;
  return formatFields([
    ["format", format],
    ["required", size(requiredBytes)],
    ["fully allocated", size(fullyAllocatedBytes)],
    ...(bitmapsBytes === 0 ? [] : [["bitmaps", size(bitmapsBytes)] as const]),
  ]);
}

/** What `qemu-img measure --output=json` prints. */
export function formatted({ qemu }: DiskMeasureOutput): string {
  return formatExactJson(qemu);
}

async function measureGiven(
  { file, size, inputFormat, allow, passphraseFile }: DiskMeasureInput,
  options: MeasureImageOptions,
  context: CommandContext,
): Promise<ImageMeasure> {
  if ((file === undefined) === (size === undefined)) {
    throw new CliError({
      code: "CLI_USAGE",
      message: "box disk measure needs a FILE or a --size, and not both",
      hint: "run: box disk measure --help",
    });
  }
  if (file === undefined) return measureDisk(parseDiskSize(size ?? "", "--size"), options);
  const request = { file, format: inputFormat, allow, passphraseFile };
  await using disk = await openDisk(request, context);
  const measure = await aboutFile(file, () => measureImage(disk.content, options));
  if (options.format === "raw") return measure;
  // What is a hole in a raw file, or in an image whose clusters were allocated ahead, is not stored in the copy.
  const stored = allocationView(disk.sizeBytes, await qemuMapOf(disk, context));
  return { ...measure, ...(await measureImage(stored, { ...options, readsZeros: true })) };
}
