import type { Extent } from "@box/qcow2";
import type { CommandContext } from "../../command/define-command.ts";
import { aboutFile } from "../../disks/about-file.ts";
import { type OpenDisk, openDisk } from "../../disks/open-disk.ts";
import { qemuMapOf } from "../../disks/qemu-map.ts";
import { formatExactJson } from "../../output/json.ts";
import { formatTable } from "../../output/table.ts";
import type { DiskMapInput, DiskMapOutput } from "./schemas.ts";

/** Reads the tables of the whole chain, and no data unless holes are asked for. */
export async function run(input: DiskMapInput, context: CommandContext): Promise<DiskMapOutput> {
  const { file, inputFormat: format, allow, passphraseFile } = input;
  await using disk = await openDisk({ file, format, allow, passphraseFile }, context);
  return await aboutFile(file, async () => {
    const { sizeBytes: virtualSizeBytes, members } = disk;
    const backing = members.filter(({ role }) => role === "backing");
    const chain = [file, ...backing.map(({ name }) => name)];
    if (context.globals.format === "qemu-json") {
      const qemu = await qemuMapOf(disk, context);
      return { file, virtualSizeBytes, chain, extents: [], qemu };
    }
    return { file, virtualSizeBytes, chain, extents: await extentsOf(disk) };
  });
}

/** One extent a line. */
export function text({ extents, chain }: DiskMapOutput): string {
  const rows = extents.map(({ start, length, kind, depth, offset }) => [
    String(start),
    String(length),
    kind,
    offset === undefined ? "-" : String(offset),
    kind === "unallocated" ? "-" : (chain[depth] ?? ""),
  ]);
  return formatTable(["START", "LENGTH", "KIND", "OFFSET", "FILE"], rows);
}

/** What `qemu-img map --output=json` prints. */
export function formatted({ qemu }: DiskMapOutput): string {
  return formatExactJson(qemu);
}

async function extentsOf({ image, sizeBytes }: OpenDisk): Promise<DiskMapOutput["extents"]> {
  if (image === undefined) {
    const whole = { start: 0, length: sizeBytes, depth: 0, kind: "data", offset: 0 } as const;
    return sizeBytes === 0 ? [] : [whole];
  }
  const extents: DiskMapOutput["extents"][number][] = [];
  for await (const extent of image.extents()) extents.push(toExtent(extent));
  return extents;
}

function toExtent({
  start,
  length,
  depth,
  kind,
  hostOffset,
}: Extent): DiskMapOutput["extents"][number] {
  return { start, length, depth, kind, ...(hostOffset !== undefined && { offset: hostOffset }) };
}
