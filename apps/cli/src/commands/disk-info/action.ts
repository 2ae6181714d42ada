import { resolve } from "node:path";
import { BoxError, isBoxError } from "@box/errors";
import { openFile } from "@box/io/node";
import { type ImageInfo, inspectImage } from "@box/qcow2";
import type { CommandContext } from "../../command/define-command.ts";
import { formatJson } from "../../output/json.ts";
import { formatFields, formatSize } from "../../output/table.ts";
import { qcow2QemuInfo, rawQemuInfo } from "./qemu-info.ts";
import type { DiskInfoInput, DiskInfoOutput, Qcow2Facts } from "./schemas.ts";

/** Reads the header. */
export async function run(input: DiskInfoInput, context: CommandContext): Promise<DiskInfoOutput> {
  try {
    return await readInfo(input, context);
  } catch (error) {
    throw isBoxError(error) ? naming(input.file, error) : error;
  }
}

/** The same error with the file in its message, for the readers do not know what they read from. */
function naming(file: string, error: BoxError): BoxError {
  const { code, kind, message, details, retryable, cause } = error;
  const isFolder = details["errno"] === "EISDIR";
  const hint = isFolder ? "this is a folder; give the file of a disk image" : error.hint;
  return new BoxError({
    code,
    kind,
    message: message.includes(file) ? message : `${file}: ${message}`,
    details: { file, ...details },
    ...(hint === undefined ? {} : { hint }),
    retryable,
    cause,
  });
}

async function readInfo(
  { file, inputFormat = "qcow2" }: DiskInfoInput,
  { cwd, signal, globals }: CommandContext,
): Promise<DiskInfoOutput> {
  const path = resolve(cwd, file);
  await using source = await openFile(path);
  const isForQemu = globals.format === "qemu-json";
  if (inputFormat === "raw") {
    const fileSizeBytes = await source.size();
    const output = { file, format: "raw", virtualSizeBytes: fileSizeBytes, fileSizeBytes } as const;
    return isForQemu ? { ...output, qemu: await rawQemuInfo(output, path) } : output;
  }
  const info = await inspectImage(source, { signal });
  const qemu = isForQemu ? await qcow2QemuInfo(source, info, { file, path, signal }) : undefined;
  return {
    ...(qemu === undefined ? {} : { qemu }),
    file,
    format: "qcow2",
    virtualSizeBytes: info.virtualSizeBytes,
    fileSizeBytes: info.fileSizeBytes,
    qcow2: toFacts(info),
  };
}

/** One line each. */
export function text({
  file,
  format,
  virtualSizeBytes,
  fileSizeBytes,
  qcow2,
}: DiskInfoOutput): string {
  return formatFields([
    ["file", file],
    ["format", qcow2 === undefined ? format : `${format} version ${qcow2.version}`],
    ["virtual size", `${formatSize(BigInt(virtualSizeBytes))} (${virtualSizeBytes} bytes)`],
    ["file size", formatSize(fileSizeBytes)],
    ...(qcow2 === undefined ? [] : qcow2Fields(qcow2)),
  ]);
}

/** What `qemu-img info --output=json` prints. */
export function formatted({ qemu }: DiskInfoOutput): string {
  return formatJson(qemu);
}

function qcow2Fields(facts: Qcow2Facts): [string, string][] {
  const { backing, dataFile } = facts;
  const marks = [
    facts.isDirty ? "dirty" : "",
    facts.isMarkedCorrupt ? "marked corrupt" : "",
    facts.hasExtendedL2 ? "extended L2" : "",
  ].filter((mark) => mark !== "");
  return [
    ["clusters", formatSize(facts.clusterSizeBytes)],
    ["refcounts", `${facts.refcountBits} bits`],
    ["compression", facts.compressionType],
    ...(facts.encryption === "none" ? [] : [["encryption", facts.encryption] as [string, string]]),
    ...(facts.snapshots === 0 ? [] : [["snapshots", String(facts.snapshots)] as [string, string]]),
    ...(marks.length === 0 ? [] : [["marks", marks.join(", ")] as [string, string]]),
    ...(backing === undefined
      ? []
      : [
          ["backing", `${backing.name} (${backing.format ?? "format not stated"})`] as [
            string,
            string,
          ],
        ]),
    ...(dataFile === undefined
      ? []
      : [["data file", dataFile.name ?? "not named"] as [string, string]]),
  ];
}

function toFacts(info: ImageInfo): Qcow2Facts {
  const { backing, dataFile } = info;
  return {
    version: info.version,
    clusterSizeBytes: info.clusterSizeBytes,
    refcountBits: info.refcountBits,
    compressionType: info.compressionType,
    encryption: info.encryption,
    isDirty: info.isDirty,
    isMarkedCorrupt: info.isMarkedCorrupt,
    hasExtendedL2: info.hasExtendedL2,
    snapshots: info.snapshots.entries,
    ...(backing && {
      backing: { name: backing.displayName, ...(backing.format && { format: backing.format }) },
    }),
    ...(dataFile && {
      dataFile: { ...(dataFile.name && { name: dataFile.name }), isRaw: dataFile.isRaw },
    }),
  };
}
