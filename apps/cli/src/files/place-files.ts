import type { FileEvent, FileRecord } from "@box/runtime";

const slash = 0x2f;

/** Files of one tree under another name; without one what is in its topmost folder, and not the folder. */
export async function* placeFiles(
  files: AsyncIterable<FileEvent>,
  name: Uint8Array | undefined,
): AsyncGenerator<FileEvent, void> {
  let isKept = false;
  for await (const event of files) {
    if (event.type === "content") {
      if (isKept) yield event;
      continue;
    }
    const { path } = event.record;
    const at = path.indexOf(slash);
    const below = at < 0 ? undefined : path.subarray(at + 1);
    const placed = pathOf(name, below);
    isKept = placed !== undefined;
    if (placed === undefined) continue;
    const linkTarget = targetOf(event.record, name);
    yield { ...event, record: { ...event.record, path: placed, linkTarget } };
  }
}

/** A hard link names another path of the tree, a symbolic one says what it says. */
function targetOf({ kind, linkTarget }: FileRecord, name: Uint8Array | undefined): Uint8Array {
  if (kind !== "hardlink") return linkTarget;
  const at = linkTarget.indexOf(slash);
  return pathOf(name, at < 0 ? undefined : linkTarget.subarray(at + 1)) ?? linkTarget;
}

function pathOf(
  name: Uint8Array | undefined,
  below: Uint8Array | undefined,
): Uint8Array | undefined {
  if (name === undefined || below === undefined) return name ?? below;
  return Buffer.concat([name, Buffer.from("/"), below]);
}
