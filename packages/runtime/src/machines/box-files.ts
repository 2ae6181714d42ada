import { isBoxError } from "@box/errors";
import { encodeTreeRecord, TreeRecordDecoder } from "@box/guest/protocol";
import { type GuestStream, VmError } from "@box/vm";
import type { BoxServices } from "../boxes/recorded-work.ts";
import type { FileEvent, FileRecord } from "../files/file-event.ts";
import { SentFiles } from "../files/sent-files.ts";
import { openInBox } from "./exec-in-box.ts";
import type { ReadFilesOptions, WriteFilesOptions } from "./machine-options.ts";

const batchBytes = 64 * 1024;

/**
 * Looks at a file of a box that runs; undefined when it is not there.
 *
 * @throws RuntimeError `BOX_NOT_FOUND`, `BOX_NOT_RUNNING`; VmError `VM_FILE_*`, `VM_*`.
 */
export async function lookInBox(
  services: BoxServices,
  nameOrId: string,
  path: string,
  options: ReadFilesOptions,
): Promise<FileRecord | undefined> {
  const { follows = false } = options;
  try {
    const request = { type: "get", path, onlyLooks: true, follows } as const;
    const stream = await openInBox(services, nameOrId, request, options);
    for await (const event of eventsOf(stream)) {
      if (event.type === "record") return event.record;
    }
  } catch (error) {
    if (isBoxError(error) && error.code === "VM_FILE_NOT_FOUND") return undefined;
    throw error;
  }
  return undefined;
}

/** A file of a box that runs, or a folder with what is in it. @throws As {@link lookInBox}, also while it is read. */
export async function readFilesOfBox(
  services: BoxServices,
  nameOrId: string,
  path: string,
  options: ReadFilesOptions,
): Promise<AsyncIterable<FileEvent>> {
  const { follows = false } = options;
  const request = { type: "get", path, follows } as const;
  return eventsOf(await openInBox(services, nameOrId, request, options));
}

/** Writes files into a folder of a box that runs. @throws As {@link lookInBox}; what `files` throws. */
export async function writeFilesOfBox(
  services: BoxServices,
  nameOrId: string,
  folder: string,
  files: AsyncIterable<FileEvent>,
  options: WriteFilesOptions,
): Promise<void> {
  const { keepsOwners = false } = options;
  const request = { type: "put", path: folder, keepsOwners } as const;
  await using stream = await openInBox(services, nameOrId, request, options);
  let parts: Uint8Array[] = [];
  let bytes = 0;
  const flush = async () => {
    await stream.stdin.write(Buffer.concat(parts));
    parts = [];
    bytes = 0;
  };
  for await (const event of files) {
    const part = event.type === "record" ? encodeTreeRecord(event.record) : event.bytes;
    parts.push(part);
    bytes += part.byteLength;
    if (bytes >= batchBytes) await flush();
  }
  if (bytes > 0) await flush();
  await stream.stdin.end();
  await requireSuccess(stream);
}

/** What a guest sends is hostile: it is judged, and nothing of it is a place on the host. */
async function* eventsOf(stream: GuestStream): AsyncGenerator<FileEvent, void> {
  await using own = stream;
  const decoder = new TreeRecordDecoder();
  const sent = new SentFiles();
  for await (const chunk of own.stdout) {
    for (const event of decoder.push(chunk)) {
      if (event.type === "record" && !sent.takes(event.record)) throw unasked();
      yield event;
    }
  }
  await requireSuccess(own);
  if (!decoder.isBetweenRecords) throw unasked();
}

async function requireSuccess(stream: GuestStream): Promise<void> {
  const { exitCode } = await stream.wait();
  if (exitCode === 0) return;
  throw new VmError({
    code: "VM_FILE_FAILED",
    message: `the transfer of files ended with exit code ${exitCode} in the guest`,
    details: { exitCode },
  });
}

function unasked(): VmError {
  return new VmError({
    code: "VM_GUEST_PROTOCOL",
    message: "the guest sent files in a way that it may not",
  });
}
