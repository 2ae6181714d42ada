import type { OpenFile } from "@box/io";
import { displayPath } from "@box/io/node";
import { checkStructure, type ImageInfo } from "@box/qcow2";
import { backingPath } from "./backing-path.ts";
import type { JudgeOverlayOptions, OverlayFinding } from "./overlay-finding.ts";
import type { RecordedBase } from "./record.ts";

const defaultTimeoutMs = 30_000;

/**
 * Judges what is in an overlay: its structure, and what it says about its backing file.
 *
 * @throws what reading it throws.
 */
export async function judgeContent(
  path: string,
  file: OpenFile,
  options: JudgeOverlayOptions,
): Promise<OverlayFinding> {
  const { signal, limits } = options;
  const { timeoutMs = defaultTimeoutMs, now = () => performance.now(), ...rest } = limits;
  const endsAt = now() + timeoutMs;
  const { info: image } = await checkStructure(file, {
    ...rest,
    deadline: () => now() >= endsAt,
    ...(signal === undefined ? {} : { signal }),
  });
  const foreign = findForeignFeature(image);
  if (foreign !== undefined) return { ...unsupported(foreign), image };
  return { ...judgeBacking(path, image, options.recorded), image };
}

/** What QEMU could do and no disk of a box does: following it would open files that the state does not know. */
function findForeignFeature(image: ImageInfo): string | undefined {
  if (image.dataFile !== undefined) return "it keeps its data in another file";
  return image.encryption === "none" ? undefined : "it is encrypted";
}

/** Compares what a sound overlay says about its backing file with the record. */
function judgeBacking(
  path: string,
  image: ImageInfo,
  recorded: { readonly base: RecordedBase | undefined } | undefined,
): OverlayFinding {
  const { backing } = image;
  if (backing === undefined) {
    const isRecorded = recorded !== undefined && recorded.base === undefined;
    const reason = "it names no backing file";
    return isRecorded ? { state: "sound" } : { state: "sound-no-backing", reason };
  }
  const name = backing.displayName;
  if (recorded === undefined && protocol.test(name)) {
    return unsupported(`its backing file ${name} is not a file`);
  }
  if (recorded?.base !== undefined && backing.name === undefined) {
    const reason = "its backing file name is not UTF-8";
    return { state: "corrupt", code: "OVERLAY_CORRUPT", reason, offset: backing.nameOffset };
  }
  const named = displayPath(backingPath(path, backing.nameBytes));
  if (recorded !== undefined && named !== recorded.base?.path) {
    return { state: "sound-other-backing", reason: `it names the backing file ${name}` };
  }
  if (backing.format === undefined || backing.format !== (recorded?.base ?? backing).format) {
    const format = backing.format === undefined ? "no backing format" : `format ${backing.format}`;
    return { state: "sound-other-format", reason: `it states ${format} for its backing file` };
  }
  return { state: "sound" };
}

/** QEMU takes a name that begins like this (`nbd:`, `json:`) for something else than a path. */
const protocol = /^[A-Za-z0-9+.-]+:/;

function unsupported(reason: string): OverlayFinding {
  return { state: "unsupported", code: "OVERLAY_UNSUPPORTED", reason };
}
