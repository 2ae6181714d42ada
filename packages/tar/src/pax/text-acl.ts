import { latin1 } from "./pax-records.ts";

interface AclEntry {
  readonly tag: number;
  readonly permissions: number;
  readonly id: number;
}

const undefinedId = 0xffffffff;
const tags: ReadonlyMap<string, readonly [unnamed: number, named: number]> = new Map([
  ["user", [1, 2]],
  ["u", [1, 2]],
  ["group", [4, 8]],
  ["g", [4, 8]],
  ["mask", [16, 16]],
  ["m", [16, 16]],
  ["other", [32, 32]],
  ["o", [32, 32]],
]);

/**
 * Turns a POSIX ACL in text, `user::rw-,user:lp:r--:71,group::r--,...` as star and GNU tar write it, into the bytes
 * of the attribute (version 2).
 *
 * @returns Nothing when it cannot be said in numbers: bad syntax, or a name without an id.
 */
export function encodeTextAcl(value: Uint8Array): Uint8Array | undefined {
  const entries: AclEntry[] = [];
  for (const line of latin1(value).split(/[,\n]/)) {
    const text = line.replace(/#.*$/, "").trim();
    if (text === "") continue;
    const entry = parseEntry(text);
    if (entry === undefined) return undefined;
    entries.push(entry);
  }
  entries.sort((a, b) => a.tag - b.tag || a.id - b.id);
  const bytes = new Uint8Array(4 + entries.length * 8);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, 2, true);
  for (const [i, { tag, permissions, id }] of entries.entries()) {
    view.setUint16(4 + i * 8, tag, true);
    view.setUint16(6 + i * 8, permissions, true);
    view.setUint32(8 + i * 8, id, true);
  }
  return bytes;
}

/** Whether an encoded ACL says no more than the mode does: owner, group and others. */
export function isMinimalAcl(acl: Uint8Array): boolean {
  return acl.byteLength <= 4 + 3 * 8;
}

function parseEntry(text: string): AclEntry | undefined {
  const parts = text.split(":");
  const [kind = "", name = "", allowed, number] = parts;
  const pair = tags.get(kind);
  if (pair === undefined || parts.length > 4) return undefined;
  // "mask:rwx" and "other:rwx" may stand without the empty name.
  const isShort = allowed === undefined && pair[0] === pair[1];
  const permissions = parsePermissions(isShort ? name : allowed);
  if (permissions === undefined) return undefined;
  if (isShort || name === "") return { tag: pair[0], permissions, id: undefinedId };
  const id = number ?? name;
  if (!/^\d{1,10}$/.test(id) || Number(id) >= undefinedId) return undefined;
  return { tag: pair[1], permissions, id: Number(id) };
}

function parsePermissions(text: string | undefined): number | undefined {
  if (text === undefined || !/^[r-]?[w-]?[x-]?$/.test(text)) return undefined;
  return (text.includes("r") ? 4 : 0) | (text.includes("w") ? 2 : 0) | (text.includes("x") ? 1 : 0);
}
