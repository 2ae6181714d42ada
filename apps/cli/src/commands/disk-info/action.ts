import { resolve } from "node:path";
import { openFile } from "@box/io/node";
import { describeImage, type ImageDescription } from "@box/qcow2";
import type { CommandContext } from "../../command/define-command.ts";
import { aboutFile } from "../../disks/about-file.ts";
import { toBitmapFacts, toSnapshotFacts } from "../../disks/image-facts.ts";
import { qcow2QemuInfo, rawQemuInfo } from "../../disks/qemu-info.ts";
import { roundToSectors } from "../../disks/raw-disk.ts";
import { formatExactJson } from "../../output/json.ts";
import type { DiskInfoInput, DiskInfoOutput, Qcow2Facts } from "./schemas.ts";

export { text } from "./text.ts";

/** Reads the header, the snapshot table and the bitmap directory. */
export async function run(
  { file, inputFormat = "qcow2" }: DiskInfoInput,
  { cwd, signal, globals }: CommandContext,
): Promise<DiskInfoOutput> {
  const path = resolve(cwd, file);
  const isForQemu = globals.format === "qemu-json";
  return aboutFile(file, async () => {
    await using source = await openFile(path);
    if (inputFormat === "raw") {
      const fileSizeBytes = await source.size();
      const virtualSizeBytes = roundToSectors(fileSizeBytes);
      const qemu = isForQemu ? await rawQemuInfo({ file, path, virtualSizeBytes }) : undefined;
      return { file, format: "raw", virtualSizeBytes, fileSizeBytes, ...(qemu && { qemu }) };
    }
    const description = await describeImage(source, { signal });
    const qemu = isForQemu ? await qcow2QemuInfo(description, { file, path }) : undefined;
    const { virtualSizeBytes, fileSizeBytes } = description.info;
    return {
      ...{ file, format: "qcow2", virtualSizeBytes, fileSizeBytes, qcow2: toFacts(description) },
      ...(qemu && { qemu }),
    };
  });
}

/** What `qemu-img info --output=json` prints. */
export function formatted({ qemu }: DiskInfoOutput): string {
  return formatExactJson(qemu);
}

function toFacts({ info, snapshots, bitmaps, luks }: ImageDescription): Qcow2Facts {
  const { backing, dataFile } = info;
  return {
    version: info.version,
    clusterSizeBytes: info.clusterSizeBytes,
    refcountBits: info.refcountBits,
    compressionType: info.compressionType,
    encryption: info.encryption,
    ...(luks && { cipher: `${luks.cipherName}-${luks.cipherMode}` }),
    isDirty: info.isDirty,
    isMarkedCorrupt: info.isMarkedCorrupt,
    hasExtendedL2: info.hasExtendedL2,
    snapshots: snapshots.map(toSnapshotFacts),
    bitmaps: bitmaps.map(toBitmapFacts),
    ...(backing && {
      backing: { name: backing.displayName, ...(backing.format && { format: backing.format }) },
    }),
    ...(dataFile && {
      dataFile: { ...(dataFile.name && { name: dataFile.name }), isRaw: dataFile.isRaw },
    }),
  };
}
