/** An attribute's name as ext4 stores it: a number for the prefix, and the rest. */
export interface XattrNameParts {
  /** Which prefix. */
  readonly index: number;
  /** What follows the prefix; empty for ACLs. */
  readonly suffix: Uint8Array;
}

const maxNameBytes = 255;

/** Prefixes by index. The two ACLs are whole names. */
const prefixes: readonly (readonly [index: number, text: string])[] = [
  [1, "user."],
  [2, "system.posix_acl_access"],
  [3, "system.posix_acl_default"],
  [4, "trusted."],
  [6, "security."],
  [7, "system."],
];

const encoder = new TextEncoder();
const prefixBytes: readonly (readonly [index: number, bytes: Uint8Array])[] = prefixes.map(
  ([index, text]) => [index, encoder.encode(text)],
);

/** Whether an index stands for one of the two POSIX ACLs. */
export function isAclIndex(index: number): boolean {
  return index === 2 || index === 3;
}

/**
 * Splits a full name. Nothing for a name outside the namespaces that ext4 knows, for a bare prefix, for one with a
 * NUL or over 255 bytes, and for `system.data`, which ext4 takes for a part of the file's content.
 */
export function splitXattrName(name: Uint8Array): XattrNameParts | undefined {
  if (name.byteLength > maxNameBytes || name.includes(0)) return undefined;
  for (const [index, prefix] of prefixBytes) {
    const isIt = isAclIndex(index) ? name.byteLength === prefix.byteLength : true;
    if (!isIt || !startsWith(name, prefix)) continue;
    const suffix = name.subarray(prefix.byteLength);
    if (isAclIndex(index)) return { index, suffix };
    const isReserved = index === 7 && new TextDecoder().decode(suffix) === "data";
    return suffix.byteLength === 0 || isReserved ? undefined : { index, suffix };
  }
  return undefined;
}

/** Whether ext4 can hold an attribute of this name: the namespaces user, trusted, security and system, and POSIX ACLs. */
export function isXattrName(name: Uint8Array): boolean {
  return splitXattrName(name) !== undefined;
}

/** The full name of stored parts; nothing for an index that no namespace has. */
export function joinXattrName({ index, suffix }: XattrNameParts): Uint8Array | undefined {
  const prefix = prefixBytes.find(([known]) => known === index)?.[1];
  if (prefix === undefined) return undefined;
  const name = new Uint8Array(prefix.byteLength + suffix.byteLength);
  name.set(prefix);
  name.set(suffix, prefix.byteLength);
  return name;
}

function startsWith(bytes: Uint8Array, prefix: Uint8Array): boolean {
  return bytes.byteLength >= prefix.byteLength && prefix.every((byte, i) => bytes[i] === byte);
}
