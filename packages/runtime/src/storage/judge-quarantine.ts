import { join } from "node:path";
import { boxLayout } from "../home/layout.ts";
import { listBoxes } from "../state/boxes-table.ts";
import { type FileFacts, filesBelow, namesIn } from "./files.ts";
import type { StorageServices } from "./storage-services.ts";

/** A file in quarantine, and why it stays. */
export interface QuarantinedDisk {
  /** The file. */
  readonly file: FileFacts;
  /** The box whose disk it was; absent for a base, and in a folder of no known box. */
  readonly box?: { readonly id: string; readonly name: string };
  /** Why a prune lets it be; absent when it may go. */
  readonly keptBecause?: string;
}

/** Finds every file in quarantine, of boxes and of bases, and tells which are older than an age. */
export async function judgeQuarantine(
  { home, state, clock }: StorageServices,
  olderThanMs: number | undefined,
): Promise<readonly QuarantinedDisk[]> {
  const nowMs = clock.now();
  const byId = new Map(listBoxes(state.database).map((box) => [box.id, box]));
  const judged: QuarantinedDisk[] = [];
  for (const file of await filesBelow(join(home.bases, "quarantine"))) {
    judged.push(judge(file, undefined, olderThanMs, nowMs));
  }
  for (const id of await namesIn(home.boxes)) {
    const box = byId.get(id);
    for (const file of await filesBelow(boxLayout(home, id).quarantine)) {
      if (box !== undefined) judged.push(judge(file, box, olderThanMs, nowMs));
      else judged.push({ file, keptBecause: "its folder belongs to no known box" });
    }
  }
  return judged;
}

function judge(
  file: FileFacts,
  box: { readonly id: string; readonly name: string } | undefined,
  olderThanMs: number | undefined,
  nowMs: number,
): QuarantinedDisk {
  const found = { file, ...(box === undefined ? {} : { box: { id: box.id, name: box.name } }) };
  if (olderThanMs === undefined) {
    return { ...found, keptBecause: "no age was given from which quarantined disks may go" };
  }
  // A clock that went back makes it younger than nothing: it stays.
  if (nowMs - file.changedMs < olderThanMs) {
    return { ...found, keptBecause: "it was moved aside more recently than the age given" };
  }
  return found;
}
