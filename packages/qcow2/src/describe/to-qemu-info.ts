import { toText } from "../bytes/text.ts";
import type { Bitmap, ImageDescription, Snapshot } from "./describe.ts";
import type { QemuJson } from "./qemu-json.ts";
import { toQemuLuks } from "./to-qemu-luks.ts";

export type { QemuJson } from "./qemu-json.ts";

/** What only the caller knows about the file. */
export interface QemuInfoOptions {
  /** Name of the image file, as it is shown. */
  readonly filename: string;
  /** Bytes that the file takes on its file system. */
  readonly actualSizeBytes?: number;
  /** The backing file's name after it was made relative to the image's folder; the stored name unless given. */
  readonly fullBackingFilename?: string;
}

/** What `qemu-img info --output=json` of QEMU 7.2 prints about the image, as plain data. */
export function toQemuInfo(
  description: ImageDescription,
  options: QemuInfoOptions,
): Record<string, QemuJson> {
  const { info, snapshots } = description;
  const { backing } = info;
  const { actualSizeBytes, filename } = options;
  return {
    "virtual-size": toJsonNumber(info.virtualSizeBytes - (info.virtualSizeBytes % 512n)),
    filename,
    "cluster-size": info.clusterSizeBytes,
    format: "qcow2",
    ...(actualSizeBytes !== undefined && { "actual-size": actualSizeBytes }),
    ...(info.encryption !== "none" && { encrypted: true }),
    ...(snapshots.length > 0 && { snapshots: snapshots.map(toQemuSnapshot) }),
    ...(backing && {
      "backing-filename": toText(backing.nameBytes),
      "full-backing-filename": options.fullBackingFilename ?? toText(backing.nameBytes),
      ...(backing.format !== undefined && { "backing-filename-format": backing.format }),
    }),
    "format-specific": { type: "qcow2", data: formatSpecific(description) },
    "dirty-flag": info.isDirty,
  };
}

function formatSpecific(description: ImageDescription): Record<string, QemuJson> {
  const { info, bitmaps } = description;
  const encrypt = encryptOf(description);
  if (info.version === 2) {
    const plain = {
      compat: "0.10",
      "compression-type": "zlib",
      "refcount-bits": info.refcountBits,
    };
    return { ...plain, ...encrypt };
  }
  const { dataFile } = info;
  return {
    compat: "1.1",
    "compression-type": info.compressionType,
    "lazy-refcounts": info.hasLazyRefcounts,
    "refcount-bits": info.refcountBits,
    corrupt: info.isMarkedCorrupt,
    "extended-l2": info.hasExtendedL2,
    ...(dataFile?.name !== undefined && { "data-file": dataFile.name }),
    ...(dataFile && { "data-file-raw": dataFile.isRaw }),
    ...(bitmaps.length > 0 && { bitmaps: bitmaps.map(toQemuBitmap) }),
    ...encrypt,
  };
}

function encryptOf({ info, luks }: ImageDescription): Record<string, QemuJson> {
  if (luks !== undefined) return { encrypt: toQemuLuks(luks) };
  return info.encryption === "aes" ? { encrypt: { format: "aes" } } : {};
}

function toQemuSnapshot(snapshot: Snapshot): Record<string, QemuJson> {
  const billion = 1_000_000_000n;
  return {
    id: snapshot.id,
    name: toText(snapshot.nameBytes),
    "vm-state-size": toJsonNumber(snapshot.vmStateBytes),
    "date-sec": snapshot.dateSeconds,
    "date-nsec": snapshot.dateNanoseconds,
    "vm-clock-sec": toJsonNumber(snapshot.vmClockNanoseconds / billion),
    "vm-clock-nsec": Number(snapshot.vmClockNanoseconds % billion),
    ...(snapshot.icount !== undefined && { icount: toJsonNumber(snapshot.icount) }),
  };
}

function toQemuBitmap(bitmap: Bitmap): Record<string, QemuJson> {
  const flags = [...(bitmap.isInUse ? ["in-use"] : []), ...(bitmap.isAuto ? ["auto"] : [])];
  return { flags, name: toText(bitmap.nameBytes), granularity: bitmap.granularityBytes };
}

function toJsonNumber(value: bigint): number | bigint {
  return value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : value;
}
