import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { chmodSync, rmSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { basename, join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { OpenFile } from "@box/io";
import { acquireLockIfFree, createFileDurably } from "@box/io/node";
import type { QmpClient } from "../qmp/qmp-client.ts";
import { migrationStatus } from "../qmp/qmp-replies.ts";
import {
  ensureTemplateFolder,
  putTemplate,
  statePath,
  type TemplatePlace,
} from "./template-folder.ts";

/** What {@link saveTemplate} takes. */
export interface SaveTemplateOptions {
  readonly place: TemplatePlace;
  readonly qmp: Pick<QmpClient, "execute">;
  /** As QEMU told it. */
  readonly qemuVersion: string;
  /** Where QEMU sends its state; nobody else can listen there. */
  readonly socket: string;
  readonly now: () => number;
  /** Called when the machine goes on: the rest is writing. */
  readonly onResumed: () => void;
  /** How long the machine may stand still for it, in milliseconds. */
  readonly timeoutMs: number;
}

const pollMs = 2;

/** A machine whose state was to be saved does not go on. */
class StandstillError extends Error {
  override readonly name = "StandstillError";
}

/**
 * Saves the state of a machine whose agent answers and that has nothing of its box yet, and lets it go on. While another process
 * saves one, nothing is done.
 *
 * @throws IoError, QmpError, or an Error that says what failed: there is no template then, and the machine goes on.
 * @throws An Error named `StandstillError` when it does not.
 */
export async function saveTemplate(options: SaveTemplateOptions): Promise<void> {
  const { place, now, qemuVersion } = options;
  const { folder, slot, makers } = place;
  await ensureTemplateFolder(folder);
  await using lock = await acquireLockIfFree(join(folder, "lock"), {
    command: "saving a template",
  });
  if (lock === undefined) return;
  const path = statePath(folder, slot, randomBytes(8).toString("hex"));
  const saved = await createFileDurably(path, (file) => saveInto(file, options));
  await putTemplate(place, {
    format: 1,
    makers,
    madeMs: now(),
    file: basename(path),
    ...saved,
    qemuVersion,
  });
}

interface SavedState {
  readonly lengthBytes: number;
  readonly sha256: string;
}

/** The machine stands still only in here. */
async function saveInto(file: OpenFile, options: SaveTemplateOptions): Promise<SavedState> {
  const { qmp, socket, onResumed, timeoutMs } = options;
  const server = await listen(socket);
  try {
    const received = receive(server, file);
    // Whoever waits for it may be gone by then.
    received.catch(() => {});
    await qmp.execute("stop");
    await qmp.execute("migrate-set-parameters", { "max-bandwidth": 2 ** 40 });
    await qmp.execute("migrate", { uri: `unix:${socket}` });
    const [saved] = await Promise.all([received, untilSent(qmp, timeoutMs)]);
    return saved;
  } catch (error) {
    await qmp.execute("migrate_cancel").catch(() => {});
    throw error;
  } finally {
    server.close();
    rmSync(socket, { force: true });
    await resume(qmp);
    onResumed();
  }
}

async function untilSent(qmp: Pick<QmpClient, "execute">, timeoutMs: number): Promise<void> {
  for (let waitedMs = 0; waitedMs < timeoutMs; waitedMs += pollMs) {
    const { status, reason = "" } = migrationStatus(await qmp.execute("query-migrate"));
    if (status === "completed") return;
    if (status === "failed" || status === "cancelled") {
      throw new Error(`QEMU could not send the state of the machine: ${reason || status}`);
    }
    await delay(pollMs);
  }
  throw new Error(`QEMU did not send the state of the machine within ${timeoutMs} ms`);
}

/** A migration that is being given up still holds the machine for a moment. */
async function resume(qmp: Pick<QmpClient, "execute">): Promise<void> {
  for (let tries = 1; ; tries++) {
    try {
      await qmp.execute("cont");
      return;
    } catch (error) {
      if (tries === 20) throw new StandstillError((error as Error).message, { cause: error });
      await delay(50);
    }
  }
}

async function listen(path: string): Promise<Server> {
  const server = createServer();
  server.listen(path);
  await once(server, "listening");
  chmodSync(path, 0o600);
  return server;
}

/** Writes down what the first one who connects sends, until its end. */
async function receive(server: Server, file: OpenFile): Promise<SavedState> {
  const [socket] = (await once(server, "connection")) as [Socket];
  const hash = createHash("sha256");
  let lengthBytes = 0;
  for await (const chunk of socket as AsyncIterable<Uint8Array>) {
    hash.update(chunk);
    await file.write?.(lengthBytes, chunk);
    lengthBytes += chunk.byteLength;
  }
  return { lengthBytes, sha256: hash.digest("hex") };
}
