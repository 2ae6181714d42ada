import { realpath } from "node:fs/promises";
import { join } from "node:path";
import type { OpenFile } from "@box/io";
import { ensureDirectory, processIdentity } from "@box/io/node";
import type { TaskContext } from "@box/pipeline";
import { adoptedBaseKey } from "@box/rootfs";
import type { DiskBase } from "../boxes/box.ts";
import type { BoxOwnEvent } from "../events.ts";
import type { InitServices } from "../init/services.ts";
import { reportBase } from "../source/report-base.ts";
import { deleteLease, putLease } from "../state/leases-table.ts";
import { copyPiece } from "./copy-piece.ts";
import type { ArchivedBase } from "./manifest.ts";
import type { OpenArchive } from "./read-archive.ts";

/**
 * Finds or makes the bases of an archive in this home, each under a lease until the operation has ended.
 *
 * A base that is here with the same content is used. One from the archive gets a key of its own, made from its content: a
 * key says what a base was built from, and an archive is not believed that. One that is not in the archive keeps its key
 * and is made from its image later.
 *
 * @returns Each base by the digest of its content.
 */
export async function importBases(
  services: InitServices,
  file: OpenFile,
  archive: OpenArchive,
  path: string,
  context: TaskContext<BoxOwnEvent>,
): Promise<ReadonlyMap<string, DiskBase>> {
  await ensureDirectory(services.home.bases);
  const folder = await realpath(services.home.bases);
  const found = new Map<string, DiskBase>();
  for (const base of archive.manifest.bases) {
    const key = await keyHere(services, file, archive, base, path, context);
    const { sizeBytes, digest } = base;
    found.set(digest, { path: join(folder, `${key}.ext4`), sizeBytes, format: "raw", key, digest });
  }
  return found;
}

async function keyHere(
  services: InitServices,
  file: OpenFile,
  { plan }: OpenArchive,
  base: ArchivedBase,
  path: string,
  context: TaskContext<BoxOwnEvent>,
): Promise<string> {
  const { bases } = services;
  const { key, digest, sizeBytes } = base;
  const listening = { signal: context.signal, onEvent: reportBase(context) };
  if (key !== undefined) {
    lease(services, key, context);
    if (!base.isIncluded || (await bases.findSound(key, listening))?.digest === digest) return key;
  }
  const piece = plan.pieces.find(
    ({ content }) => content.type === "base" && content.digest === digest,
  );
  if (piece === undefined) throw new Error("a base that is included has an entry");
  const own = adoptedBaseKey(digest);
  lease(services, own, context);
  await bases.adopt(
    { digest, sizeBytes, source: `archive ${path}` },
    (target) => copyPiece(file, piece, digest, target, path, context),
    listening,
  );
  return own;
}

function lease(
  { state, clock, newId }: InitServices,
  key: string,
  context: TaskContext<BoxOwnEvent>,
): void {
  const id = newId();
  const owner = processIdentity();
  const record = { id, resource: `base:${key}`, purpose: "importing a box", owner };
  state.transaction((database) => putLease(database, record, clock.now()));
  context.defer(() => state.transaction((database) => deleteLease(database, id)));
}
