import { TarError } from "../errors.ts";

/**
 * The records of PAX headers. Keys are texts with one character per byte, so that two are equal only when their
 * bytes are. An empty value stands for "take no notice of earlier ones".
 */
export class PaxRecords {
  readonly #base: PaxRecords | undefined;
  readonly #values: Map<string, Uint8Array> = new Map();
  /** Apart from the others, so that an entry costs no walk over all global records. */
  readonly #xattrs: Map<string, Uint8Array> = new Map();
  #sizeBytes = 0;
  /** Offsets and lengths of GNU sparse format 0.0, which repeats its keys. */
  readonly sparseNumbers: Uint8Array[] = [];

  /** @param base - Records that hold until these say otherwise: the global ones. */
  constructor(base?: PaxRecords) {
    this.#base = base;
  }

  /** A record's value; nothing when it is absent or empty. Not for attributes. */
  get(key: string): Uint8Array | undefined {
    const own = this.#values.get(key);
    if (own === undefined) return this.#base?.get(key);
    return own.byteLength === 0 ? undefined : own;
  }

  /** Extended attributes by name. */
  get xattrs(): ReadonlyMap<string, Uint8Array> {
    if (this.#base === undefined) return this.#xattrs;
    return new Map([...this.#base.xattrs, ...this.#xattrs]);
  }

  /** How many bytes the keys and values take that hold. */
  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  /**
   * Adds the records of a PAX header's body: `LENGTH KEY=VALUE\n`, one after the other.
   *
   * @throws {@link TarError} `TAR_BAD_PAX`.
   */
  parse(body: Uint8Array, offset: number): void {
    let at = 0;
    while (at < body.byteLength) {
      const { length, keyAt } = parseLength(body, at, offset);
      const end = at + length;
      const equals = body.indexOf(0x3d, keyAt);
      if (equals <= keyAt || equals >= end || body[end - 1] !== 0x0a) {
        throw bad("has no key, no equals sign or no line end", offset);
      }
      const key = latin1(body.subarray(keyAt, equals));
      this.#set(key, body.slice(equals + 1, end - 1), offset);
      at = end;
    }
  }

  #set(key: string, value: Uint8Array, offset: number): void {
    if (key.includes("\0")) throw bad("has a NUL in its key", offset);
    if (namesOnly.has(key) && value.includes(0)) throw bad("has a NUL in a path", offset);
    if (key === "GNU.sparse.offset" || key === "GNU.sparse.numbytes") {
      const isOffset = key === "GNU.sparse.offset";
      if (isOffset !== (this.sparseNumbers.length % 2 === 0)) {
        throw bad("has sparse offsets and lengths out of turn", offset);
      }
      this.sparseNumbers.push(value);
      this.#sizeBytes += key.length + value.byteLength;
    } else if (key.startsWith(xattrPrefix)) {
      this.#replace(this.#xattrs, key.slice(xattrPrefix.length), value);
    } else {
      this.#replace(this.#values, key, value);
    }
  }

  #replace(records: Map<string, Uint8Array>, key: string, value: Uint8Array): void {
    this.#sizeBytes += value.byteLength - (records.get(key)?.byteLength ?? -key.length);
    records.set(key, value);
  }
}

/** What stands before the name of an extended attribute in a record's key. */
export const xattrPrefix = "SCHILY.xattr.";
const namesOnly: ReadonlySet<string> = new Set(["path", "linkpath", "GNU.sparse.name"]);
const maxLengthDigits = 10;

function parseLength(
  body: Uint8Array,
  at: number,
  offset: number,
): { readonly length: number; readonly keyAt: number } {
  let length = 0;
  let digits = 0;
  let byte = body[at];
  while (byte !== undefined && byte >= 0x30 && byte <= 0x39 && digits < maxLengthDigits) {
    length = length * 10 + byte - 0x30;
    byte = body[at + ++digits];
  }
  const keyAt = at + digits + 1;
  if (digits === 0 || byte !== 0x20 || at + length > body.byteLength || at + length <= keyAt) {
    throw bad("has no length, or one that leaves the header", offset);
  }
  return { length, keyAt };
}

/** Decodes one character per byte. */
export function latin1(bytes: Uint8Array): string {
  let text = "";
  for (let i = 0; i < bytes.length; i += 4096) {
    text += String.fromCharCode(...bytes.subarray(i, i + 4096));
  }
  return text;
}

/** The bytes of a text made by {@link latin1}. */
export function fromLatin1(text: string): Uint8Array {
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}

function bad(what: string, offset: number): TarError {
  return new TarError("TAR_BAD_PAX", `a PAX record ${what}`, offset);
}
