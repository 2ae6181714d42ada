import { resolve } from "node:path";
import type { OpenFile, RandomAccess } from "@box/io";
import { openFile } from "@box/io/node";
import { openImage, type Qcow2Image } from "@box/qcow2";
import { blockingNodeCodec } from "@box/qcow2/node";
import type { CommandContext } from "../command/define-command.ts";
import { aboutFile } from "./about-file.ts";
import { allowedFolders, type DiskMember, resolverWithin } from "./allowed-folders.ts";
import { openToChange } from "./in-use.ts";
import { readPassphrase } from "./passphrase.ts";
import { wholeSectors } from "./raw-disk.ts";

/** Formats that box reads and writes. */
export type DiskFormat = "qcow2" | "raw";

/** Which file to open, and what it may open in turn. */
export interface OpenDiskRequest {
  /** As the user wrote it. */
  readonly file: string;
  /** Its format; qcow2 unless given. */
  readonly format?: DiskFormat | undefined;
  /** `rw` refuses a file that another process uses. */
  readonly mode?: "r" | "rw" | undefined;
  /** With `rw`: what the command is called, for those who find the file in use meanwhile. */
  readonly command?: string;
  /** `--allow`. */
  readonly allow?: readonly string[] | undefined;
  /** `--passphrase-file`. */
  readonly passphraseFile?: string | undefined;
  /** Told of every file that is opened for it, also when opening fails in the end. */
  readonly onMember?: (member: DiskMember) => void;
}

/** A disk that is open. */
export interface OpenDisk extends AsyncDisposable {
  /** As the user wrote it. */
  readonly file: string;
  /** Absolute. */
  readonly path: string;
  /** Its format. */
  readonly format: DiskFormat;
  /** The file itself. */
  readonly source: OpenFile;
  /** What a machine would see. */
  readonly content: RandomAccess;
  /** The image; absent for a raw disk. */
  readonly image: Qcow2Image | undefined;
  /** Size of the virtual disk. */
  readonly sizeBytes: number;
  /** The other files that were opened for it, in order. */
  readonly members: readonly DiskMember[];
}

/** Opens a disk file with its chain. Errors name the file. */
export async function openDisk(
  request: OpenDiskRequest,
  context: Pick<CommandContext, "cwd" | "signal">,
): Promise<OpenDisk> {
  const { file, format = "qcow2", mode = "r", command = "box disk" } = request;
  const path = resolve(context.cwd, file);
  return aboutFile(file, async () => {
    const source =
      mode === "r"
        ? await openFile(path, { blocking: true })
        : await openToChange({ file, path, command });
    try {
      const given = { ...request, path };
      return format === "raw"
        ? await openRaw(given, source)
        : await openQcow2(given, source, context);
    } catch (error) {
      await source.close();
      throw error;
    }
  });
}

type LocatedRequest = OpenDiskRequest & { readonly path: string };

async function openRaw({ file, path }: LocatedRequest, source: OpenFile): Promise<OpenDisk> {
  const content = wholeSectors(source);
  const sizeBytes = await content.size();
  const close = () => source.close();
  return {
    ...{ file, path, format: "raw", source, content, image: undefined, sizeBytes, members: [] },
    [Symbol.asyncDispose]: close,
  };
}

async function openQcow2(
  request: LocatedRequest,
  source: OpenFile,
  { cwd, signal }: Pick<CommandContext, "cwd" | "signal">,
): Promise<OpenDisk> {
  const { file, path, mode = "r", allow, passphraseFile } = request;
  const members: DiskMember[] = [];
  const folders = await allowedFolders(allow, path, cwd);
  const resolver = resolverWithin(folders, (member) => {
    members.push(member);
    request.onMember?.(member);
  });
  const passphrase =
    passphraseFile === undefined ? undefined : await readPassphrase(passphraseFile, cwd);
  const image = await openImage(source, {
    mode,
    backing: resolver,
    dataFile: resolver,
    location: path,
    codec: blockingNodeCodec,
    signal,
    ...(passphrase === undefined ? {} : { passphrase }),
  });
  const { sizeBytes } = image;
  return {
    ...{ file, path, format: "qcow2", source, content: image, image, sizeBytes, members },
    [Symbol.asyncDispose]: async () => {
      try {
        await image.close();
      } finally {
        await source.close();
      }
    },
  };
}

/** The identities of a disk's own file and of every file that was opened for it. */
export function identitiesOf({ source, members }: OpenDisk): (string | undefined)[] {
  return [source, ...members.map((member) => member.source)].map((file) => file.identity?.());
}
