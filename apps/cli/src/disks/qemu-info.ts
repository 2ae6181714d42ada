import { type ImageDescription, toQemuInfo } from "@box/qcow2";
import { allocatedBytesOf } from "./holes.ts";

/** Where a disk file is. */
interface DiskFile {
  /** As the user wrote it. */
  readonly file: string;
  /** Absolute. */
  readonly path: string;
}

type QemuInfo = Readonly<Record<string, unknown>>;

/** What `qemu-img info --output=json` of QEMU 7.2 prints of a qcow2 file. */
export async function qcow2QemuInfo(
  description: ImageDescription,
  { file, path }: DiskFile,
): Promise<QemuInfo> {
  const { backing } = description.info;
  return toQemuInfo(description, {
    filename: file,
    actualSizeBytes: await allocatedBytesOf(path),
    ...(backing && { fullBackingFilename: fullBackingName(file, nameOf(backing)) }),
  });
}

/** What `qemu-img info --output=json -f raw` of QEMU 7.2 prints. */
export async function rawQemuInfo({
  file,
  path,
  virtualSizeBytes,
}: DiskFile & { readonly virtualSizeBytes: number }): Promise<QemuInfo> {
  return {
    "virtual-size": virtualSizeBytes,
    filename: file,
    format: "raw",
    "actual-size": await allocatedBytesOf(path),
    "dirty-flag": false,
  };
}

/** The name as it is: JSON escapes what a terminal would obey. */
function nameOf({ nameBytes }: { readonly nameBytes: Uint8Array }): string {
  return new TextDecoder().decode(nameBytes);
}

/** As QEMU puts them together: a name that is relative belongs to the image's folder. */
function fullBackingName(file: string, name: string): string {
  const hasProtocol = /^[^/]*:/.test(name);
  if (hasProtocol || name.startsWith("/")) return name;
  return file.slice(0, file.lastIndexOf("/") + 1) + name;
}
