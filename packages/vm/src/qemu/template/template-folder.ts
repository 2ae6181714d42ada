import { constants } from "node:fs";
import {
  chmod,
  type FileHandle,
  lstat,
  open,
  readdir,
  readFile,
  rm,
  stat,
  utimes,
} from "node:fs/promises";
import { join } from "node:path";
import {
  ensureDirectory,
  errnoOf,
  removeDeadTemporaries,
  toIoError,
  writeFileDurably,
} from "@box/io/node";
import { changedMaker, type TemplateMakers } from "./template-key.ts";
import { parseTemplateRecord, type TemplateRecord } from "./template-record.ts";

/** The template that a machine may be started from. Plain data: it is told to the supervisor. */
export interface TemplatePlace {
  /** Folder of templates: this user's alone. */
  readonly folder: string;
  /** Which of them; see `templateSlot`. */
  readonly slot: string;
  /** What it must have been made with. */
  readonly makers: TemplateMakers;
}

/** A template that is there and fits, as far as can be said without reading it. */
export interface OpenTemplate {
  readonly record: Extract<TemplateRecord, { readonly file: string }>;
  /** Its state, open for reading. */
  readonly state: FileHandle;
}

/** What is found in the place of a template. */
export type FoundTemplate =
  | { readonly found: "template"; readonly template: OpenTemplate }
  /** None: one may be saved. */
  | { readonly found: "nothing" }
  /** One that must not be used. `reason` is a clause for people. */
  | { readonly found: "unusable"; readonly reason: string }
  /** A machine did not come up from one a while ago: none is used, and none is saved. */
  | { readonly found: "avoided"; readonly reason: string };

/** How many templates are kept, the ones that were used last. Each has about the size of what a guest uses when it has booted. */
const mostTemplates = 4;
/** How long no template is tried after one that did not come up. */
const avoidedMs = 3_600_000;

/** Looks for a template. A file that others could have written, or that is not what its record says, is unusable. */
export async function findTemplate(
  { folder, slot, makers }: TemplatePlace,
  nowMs: number,
): Promise<FoundTemplate> {
  const text = await readFile(recordPath(folder, slot), "utf8").catch(absent);
  if (text === undefined) return { found: "nothing" };
  const record = parseTemplateRecord(text);
  if (record === undefined) return { found: "unusable", reason: "its record is damaged" };
  const changed = changedMaker(record.makers, makers);
  if ("fault" in record) {
    const isOver = changed !== undefined || nowMs - record.madeMs > avoidedMs;
    return isOver ? { found: "nothing" } : { found: "avoided", reason: record.fault };
  }
  if (changed !== undefined) {
    return { found: "unusable", reason: `${changed} is another than when it was saved` };
  }
  if (!(await isPrivate(folder))) return { found: "unusable", reason: "others may write it" };
  const flags = constants.O_RDONLY | constants.O_NOFOLLOW;
  const state = await open(join(folder, record.file), flags).catch(absent);
  if (state === undefined) return { found: "unusable", reason: "its state is gone" };
  const facts = await state.stat();
  const reason = isOwn(facts) && facts.isFile() ? undefined : "others may write it";
  const fault = facts.size === record.lengthBytes ? reason : "its state has another length";
  if (fault === undefined) return { found: "template", template: { record, state } };
  await state.close();
  return { found: "unusable", reason: fault };
}

/**
 * Makes the folder of templates and removes what ended processes have left there. One of this user's that others could write is cleared
 * and closed to them.
 *
 * @throws IoError when it is not this user's.
 */
export async function ensureTemplateFolder(folder: string): Promise<void> {
  await ensureDirectory(folder, { mode: 0o700 });
  if (!(await isPrivate(folder))) {
    try {
      await chmod(folder, 0o700);
    } catch (error) {
      throw toIoError(error, { action: "cannot close to others", path: folder });
    }
    await removeTemplates(folder);
  }
  await removeDeadTemporaries(folder);
}

/** A new name for a state of a template. */
export function statePath(folder: string, slot: string, random: string): string {
  return join(folder, `${slot}-${random}.state`);
}

/** Says what is in the place of a template from now on; what was there before goes away. */
export async function putTemplate(
  { folder, slot }: Pick<TemplatePlace, "folder" | "slot">,
  record: TemplateRecord,
): Promise<void> {
  await writeFileDurably(recordPath(folder, slot), JSON.stringify(record));
  await removeUnused(folder);
}

/** Removes a template. Machines that were started from it go on. */
export async function discardTemplate({
  folder,
  slot,
}: Pick<TemplatePlace, "folder" | "slot">): Promise<void> {
  const path = recordPath(folder, slot);
  const record = parseTemplateRecord(await readFile(path, "utf8").catch(() => ""));
  await rm(path, { force: true });
  if (record !== undefined && "file" in record)
    await rm(join(folder, record.file), { force: true });
}

/** Notes that a template was used just now. */
export async function touchTemplate(
  { folder, slot }: Pick<TemplatePlace, "folder" | "slot">,
  nowMs: number,
): Promise<void> {
  const time = new Date(nowMs);
  await utimes(recordPath(folder, slot), time, time).catch(() => {});
}

/** A template that is kept. */
export interface KeptTemplate {
  /** Which of them; see `templateSlot`. */
  readonly slot: string;
  /** Of its state, in bytes; 0 for the word that none is to be saved. */
  readonly lengthBytes: number;
  /** When it was used last, or else made, in milliseconds since 1970. */
  readonly usedMs: number;
}

/** The templates of a folder, the one that was used last first. A folder that does not exist has none. */
export async function listTemplates(folder: string): Promise<readonly KeptTemplate[]> {
  return (await readRecords(folder)).map(({ slot, record, usedMs }) => {
    return { slot, usedMs, lengthBytes: "file" in record ? record.lengthBytes : 0 };
  });
}

/** Removes every template of a folder. @returns How many bytes they had. */
export async function removeTemplates(folder: string): Promise<number> {
  const kept = await listTemplates(folder);
  for (const name of (await readdir(folder).catch(absent)) ?? []) {
    if (/\.(json|state)$/.test(name)) await rm(join(folder, name), { force: true });
  }
  return kept.reduce((sum, { lengthBytes }) => sum + lengthBytes, 0);
}

/** Removes templates beyond the most that are kept, and states that no record names. */
async function removeUnused(folder: string): Promise<void> {
  const records = await readRecords(folder);
  for (const { slot } of records.slice(mostTemplates)) {
    await rm(recordPath(folder, slot), { force: true });
  }
  const kept = records.slice(0, mostTemplates).map(({ record }) => record);
  const named = new Set(kept.flatMap((record) => ("file" in record ? [record.file] : [])));
  for (const name of await readdir(folder)) {
    if (name.endsWith(".state") && !named.has(name)) await rm(join(folder, name), { force: true });
  }
}

interface KeptRecord {
  readonly slot: string;
  readonly record: TemplateRecord;
  readonly usedMs: number;
}

async function readRecords(folder: string): Promise<readonly KeptRecord[]> {
  const records: KeptRecord[] = [];
  for (const name of (await readdir(folder).catch(absent)) ?? []) {
    const [, slot] = /^([0-9a-f]{32})\.json$/.exec(name) ?? [];
    if (slot === undefined) continue;
    const path = recordPath(folder, slot);
    const text = await readFile(path, "utf8").catch(absent);
    const record = text === undefined ? undefined : parseTemplateRecord(text);
    const facts = await stat(path).catch(absent);
    if (record !== undefined && facts !== undefined) {
      records.push({ slot, record, usedMs: facts.mtimeMs });
    }
  }
  return records.sort((one, other) => other.usedMs - one.usedMs);
}

function recordPath(folder: string, slot: string): string {
  return join(folder, `${slot}.json`);
}

async function isPrivate(folder: string): Promise<boolean> {
  const facts = await lstat(folder);
  return facts.isDirectory() && isOwn(facts);
}

function isOwn({ uid, mode }: { readonly uid: number; readonly mode: number }): boolean {
  return uid === (process.getuid?.() ?? uid) && (mode & 0o077) === 0;
}

/** What is not there is no failure. */
function absent(error: unknown): undefined {
  if (errnoOf(error) !== "ENOENT") throw error;
  return undefined;
}
