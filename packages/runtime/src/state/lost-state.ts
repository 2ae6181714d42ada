import { errnoOf, nodeFileSystem, toIoError } from "@box/io/node";
import { RuntimeError } from "../errors.ts";
import type { HomeLayout } from "../home/layout.ts";

/**
 * Refuses a home whose state is gone or empty although boxes are there: starting a new one would hide them.
 *
 * A box's folder is made only after its row is stored, so a home that is being made has no box yet.
 *
 * @throws RuntimeError `STATE_CORRUPT`; IoError when the home cannot be read.
 */
export async function refuseLostState(home: HomeLayout): Promise<void> {
  // The boxes come first: another process may be starting the home, and making its first box, right now.
  const boxes = await nodeFileSystem.readdir(home.boxes).catch((error: unknown) => {
    throw toIoError(error, { action: "cannot look into", path: home.boxes });
  });
  if (boxes.length === 0) return;
  // A log without its database does not count: SQLite would throw it away and begin anew.
  if ((await sizeOf(home.state)) > 0) return;
  throw new RuntimeError({
    code: "STATE_CORRUPT",
    message: `cannot use the state ${home.state}: it is empty or gone, although ${home.boxes} holds ${boxes.length} boxes`,
    details: { path: home.state, boxes: boxes.length },
    hint: `put a backup of it back; to start anew instead, move ${home.boxes} to another place first: it holds the boxes' disks`,
  });
}

async function sizeOf(path: string): Promise<number> {
  try {
    return Number((await nodeFileSystem.stat(path)).size);
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return 0;
    throw toIoError(error, { action: "cannot look at the state", path });
  }
}
