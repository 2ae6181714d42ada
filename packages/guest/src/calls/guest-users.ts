import { CallBatch, mostScratchBytes, scratchAddress, type Word } from "./call-batch.ts";
import { CallFailure } from "./call-failure.ts";
import type { Caller, CallResult } from "./caller.ts";
import { fromRoot, openFlags } from "./guest-paths.ts";

/** What a file system says of its users. */
export interface UserFiles {
  /** `/etc/passwd`; empty when there is none. */
  readonly passwd: string;
  /** `/etc/group`. */
  readonly group: string;
}

/** Who a command runs as. */
export interface GuestUser {
  /** Number of the user. */
  readonly uid: number;
  /** Number of the user's own group. */
  readonly gid: number;
  /** Further groups. */
  readonly groups: readonly number[];
  /** Home folder. */
  readonly home: string;
}

interface Entry {
  readonly fields: readonly string[];
  readonly number: number;
}

const names = ["passwd", "group"] as const;
const readBytes = 64 * 1024;
const longestFile = 1024 * 1024;
const longestName = 255;
const mostGroups = 65_535;
const mostNumber = 0xffff_ffff;
const howBytes = 24;
const boxSpace = 4;
const newMounts = 0x20000;

/**
 * Looks a user up as docker does: the first entry of that name or number; a number needs none. Without a group the groups that list the
 * user are added, with one they are not.
 *
 * @param wanted - `USER[:GROUP]`, names or numbers; empty for root.
 * @param more - Further groups, names or numbers.
 * @throws CallFailure `no-such-user`.
 */
export function resolveUser(
  files: UserFiles,
  wanted: string,
  more: readonly string[] = [],
): GuestUser {
  const [name = "", ...rest] = wanted.split(":");
  const group = rest.join(":");
  const number = name === "" ? 0 : numberOf(name);
  const isTooLong = new TextEncoder().encode(name).byteLength > longestName;
  const found = isTooLong ? undefined : findUser(files.passwd, name, number);
  if (found === undefined && (number === undefined || isTooLong)) {
    throw new CallFailure("no-such-user", 0, `no such user: ${wanted}`);
  }
  const { uid, gid, home } = found ?? { uid: number ?? 0, gid: 0, home: "/" };
  const findGroup = (each: string) => groupOf(files.group, each);
  const listed = group === "" && found !== undefined ? groupsOf(files.group, found.name) : [];
  const groups = [...(wanted.includes(":") && group !== "" ? [] : listed), ...more.map(findGroup)];
  const own = group === "" ? gid : findGroup(group);
  return { uid, gid: own, groups: groups.slice(0, mostGroups), home };
}

/**
 * Reads what a target says of its users. What is there and cannot be read is as if it were not.
 *
 * @param caller - Carries calls out in the target, or anywhere when `entersBox` says so.
 */
export async function readUserFiles(
  caller: Caller,
  { entersBox = false }: { readonly entersBox?: boolean } = {},
): Promise<UserFiles> {
  const batch = new CallBatch();
  if (entersBox) batch.call("setns", [boxSpace, newMounts]);
  const asked = askUserFiles(batch);
  return userFilesOf(caller, await caller.run(batch), asked);
}

/** Files that a batch reads the beginnings of. */
export type AskedUserFiles = readonly { readonly begin: number }[];

/** Adds what {@link userFilesOf} reads the answers of. */
export function askUserFiles(batch: CallBatch): AskedUserFiles {
  return names.map((name) => {
    const file = batch.word();
    const flags = openFlags.read | openFlags.nonBlocking | openFlags.closeOnExec;
    const values = [fromRoot, batch.text(`/etc/${name}`), batch.numbers(flags, 0, 0), howBytes];
    batch.call("openat2", values, { into: file, goesOn: "always" });
    const begin = read(batch, file);
    batch.call("close", [file], { goesOn: "always" });
    return { begin };
  });
}

/** What is too long for a first read is read again from the beginning of the file. */
export async function userFilesOf(
  caller: Caller,
  results: readonly CallResult[],
  asked: AskedUserFiles,
): Promise<UserFiles> {
  const texts: string[] = [];
  for (const [index, { begin }] of asked.entries()) {
    const bytes = results[begin]?.bytes ?? new Uint8Array(0);
    const isWhole = bytes.byteLength < readBytes;
    texts.push(isWhole ? new TextDecoder().decode(bytes) : await readWhole(caller, names[index]));
  }
  const [passwd = "", group = ""] = texts;
  return { passwd, group };
}

async function readWhole(caller: Caller, name = ""): Promise<string> {
  const batch = new CallBatch();
  const file = batch.word();
  const flags = openFlags.read | openFlags.nonBlocking | openFlags.closeOnExec;
  const values = [fromRoot, batch.text(`/etc/${name}`), batch.numbers(flags, 0, 0), howBytes];
  batch.call("openat2", values, { into: file, goesOn: "always" });
  const reads = Array.from({ length: longestFile / readBytes }, () => read(batch, file));
  batch.call("close", [file], { goesOn: "always" });
  const results = await caller.run(batch);
  const decoder = new TextDecoder();
  const parts = reads.map((at) => decoder.decode(results[at]?.bytes, { stream: true }));
  return parts.join("") + decoder.decode();
}

function read(batch: CallBatch, file: Word): number {
  const tells = { address: scratchAddress, length: "result" } as const;
  const bytes = Math.min(readBytes, mostScratchBytes);
  return batch.call("read", [file, scratchAddress, bytes], { tells, goesOn: "always" });
}

function findUser(passwd: string, name: string, number: number | undefined) {
  for (const { fields, number: uid } of entriesOf(passwd, 6)) {
    const gid = numberOf(fields[3] ?? "");
    if (gid === undefined || (fields[0] !== name && uid !== number)) continue;
    const home = fields[5]?.startsWith("/") === true ? fields[5] : "/";
    return { uid, gid, home, name: fields[0] ?? "" };
  }
  return undefined;
}

function groupOf(group: string, wanted: string): number {
  const number = numberOf(wanted);
  for (const { fields, number: gid } of entriesOf(group, 3)) {
    if (fields[0] === wanted || gid === number) return gid;
  }
  if (number !== undefined) return number;
  throw new CallFailure("no-such-user", 0, `no such group: ${wanted}`);
}

function groupsOf(group: string, name: string): number[] {
  if (name === "") return [];
  const groups: number[] = [];
  for (const { fields, number } of entriesOf(group, 4)) {
    if (fields[3]?.split(",").includes(name) === true) groups.push(number);
  }
  return groups;
}

/** The lines of /etc/passwd or /etc/group that have so many fields, of which the third is a number. */
function* entriesOf(text: string, least: number): Generator<Entry> {
  for (const line of text.split("\n")) {
    const fields = line.split(":");
    const number = fields.length < least ? undefined : numberOf(fields[2] ?? "");
    if (number !== undefined) yield { fields, number };
  }
}

function numberOf(text: string): number | undefined {
  const number = /^\d+$/.test(text) ? Number(text) : mostNumber;
  return number < mostNumber ? number : undefined;
}
