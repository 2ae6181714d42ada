import {
  lstat,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  realpath,
  rm,
  writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  type OverlayEvent,
  type OverlayRecord,
  type PreparedOverlay,
  type PrepareOverlayOptions,
  prepareOverlay,
} from "@box/rootfs";

/** A box's disk in a folder of its own, with a base of 1 MiB. */
export interface TestDisk {
  readonly folder: string;
  readonly path: string;
  readonly basePath: string;
  readonly quarantineDirectory: string;
  readonly events: OverlayEvent[];
  /** How often the base was asked for. */
  readonly counts: { base: number };
  /** The record of a disk that was made on the base. */
  readonly record: Extract<OverlayRecord, { type: "made" }>;
  /** Applies the rules; a guest disk with a record unless said otherwise. */
  prepare(options?: Partial<PrepareOverlayOptions>): Promise<PreparedOverlay>;
  /** Makes the overlay as a first run does, and forgets its events. */
  make(): Promise<Buffer>;
  remove(): Promise<void>;
}

export const baseBytes: number = 1024 * 1024;

export async function makeTestDisk(): Promise<TestDisk> {
  const folder = await realpath(await mkdtemp(join(tmpdir(), "box-overlay-")));
  const path = join(folder, "disks", "guest-rootfs.qcow2");
  const basePath = join(folder, "bases", "base.ext4");
  const quarantineDirectory = join(folder, "quarantine");
  await mkdir(join(folder, "disks"));
  await mkdir(join(folder, "bases"));
  await writeFile(basePath, Buffer.alloc(baseBytes, "base"));
  const record = {
    type: "made",
    base: { path: basePath, sizeBytes: baseBytes, format: "raw" },
  } as const;
  const events: OverlayEvent[] = [];
  const counts = { base: 0 };
  const prepare: TestDisk["prepare"] = (options) =>
    prepareOverlay({
      path,
      role: "guest",
      record,
      boxName: "web",
      quarantineDirectory,
      base: async () => {
        counts.base += 1;
        return { path: basePath, sizeBytes: baseBytes };
      },
      onEvent: (event) => events.push(event),
      ...options,
    });
  const make = async (): Promise<Buffer> => {
    await prepare({ record: { type: "never-made" } });
    events.length = 0;
    counts.base = 0;
    return readFile(path);
  };
  const remove = () => rm(folder, { recursive: true, force: true });
  return {
    folder,
    path,
    basePath,
    quarantineDirectory,
    events,
    counts,
    record,
    prepare,
    make,
    remove,
  };
}

/** Everything that must not change about a file that is kept or refused. */
export async function lookAt(path: string): Promise<unknown> {
  const { size, mtimeNs, ctimeNs, ino, mode } = await lstat(path, { bigint: true });
  return { size, mtimeNs, ctimeNs, ino, mode, bytes: (await readFile(path)).toString("base64") };
}

/** The files in quarantine. */
export async function quarantined(disk: TestDisk): Promise<string[]> {
  return readdir(disk.quarantineDirectory).catch(() => []);
}

/** Names of events, in order. */
export function names(disk: TestDisk): string[] {
  return disk.events.map((event) => event.name);
}

/** A header that has a backing name and nothing else: every other field is zero. */
export function minimalHeader(backingName: Uint8Array): Buffer {
  const bytes = Buffer.alloc(512 + backingName.byteLength);
  bytes.writeUInt32BE(0x514649fb, 0);
  bytes.writeUInt32BE(3, 4);
  bytes.writeBigUInt64BE(512n, 8);
  bytes.writeUInt32BE(backingName.byteLength, 16);
  bytes.set(backingName, 512);
  return bytes;
}
