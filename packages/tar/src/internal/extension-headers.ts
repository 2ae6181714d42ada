import { TarError } from "../errors.ts";
import { typeFlags } from "../header/layout.ts";
import type { TarLimits } from "../limits.ts";
import { PaxRecords } from "../pax/pax-records.ts";

/** What the headers before an entry's own said about it. */
export interface Extensions {
  /** PAX records, the global ones included. */
  readonly pax: PaxRecords;
  /** A GNU long name. */
  readonly longName: Uint8Array | undefined;
  /** A GNU long link target. */
  readonly longLink: Uint8Array | undefined;
}

/** Collects the headers that say more about the entries to come. */
export class ExtensionHeaders {
  readonly #limits: TarLimits;
  readonly #globals: PaxRecords = new PaxRecords();
  #locals: PaxRecords | undefined;
  #longName: Uint8Array | undefined;
  #longLink: Uint8Array | undefined;

  constructor(limits: TarLimits) {
    this.#limits = limits;
  }

  /** What holds for the next entry. */
  get current(): Extensions {
    return {
      pax: this.#locals ?? this.#globals,
      longName: this.#longName,
      longLink: this.#longLink,
    };
  }

  /** Whether an entry was announced that has not come. */
  get isPending(): boolean {
    return (
      this.#locals !== undefined || this.#longName !== undefined || this.#longLink !== undefined
    );
  }

  /** How large the body of such a header may be; nothing when the type says that it is no such header. */
  maxBodyBytes(typeFlag: number): number | undefined {
    switch (typeFlag) {
      case typeFlags.paxLocal:
      case typeFlags.paxLocalOfSolaris:
      case typeFlags.paxGlobal:
        return this.#limits.maxPaxBytes;
      case typeFlags.gnuLongName:
      case typeFlags.gnuLongLink:
        // One more byte for the closing NUL.
        return this.#limits.maxPathBytes + 1;
      default:
        return undefined;
    }
  }

  /**
   * Takes the body of such a header.
   *
   * @throws {@link TarError} `TAR_BAD_PAX`, `TAR_OVER_LIMIT`.
   */
  add(typeFlag: number, body: Uint8Array, offset: number): void {
    if (typeFlag === typeFlags.gnuLongName) this.#longName = untilNul(body);
    else if (typeFlag === typeFlags.gnuLongLink) this.#longLink = untilNul(body);
    else if (typeFlag === typeFlags.paxGlobal) this.#addGlobals(body, offset);
    else {
      this.#locals = new PaxRecords(this.#globals);
      this.#locals.parse(body, offset);
    }
  }

  /** Forgets everything but the global records. */
  reset(): void {
    this.#locals = undefined;
    this.#longName = undefined;
    this.#longLink = undefined;
  }

  #addGlobals(body: Uint8Array, offset: number): void {
    this.#globals.parse(body, offset);
    const { maxGlobalPaxBytes, maxGlobalXattrs } = this.#limits;
    const isTooLong = this.#globals.sizeBytes > maxGlobalPaxBytes;
    if (!isTooLong && this.#globals.xattrs.size <= maxGlobalXattrs) return;
    const most = isTooLong ? `${maxGlobalPaxBytes} bytes` : `${maxGlobalXattrs} attributes`;
    throw new TarError("TAR_OVER_LIMIT", `global PAX headers hold more than ${most}`, offset);
  }
}

function untilNul(bytes: Uint8Array): Uint8Array {
  const end = bytes.indexOf(0);
  return bytes.slice(0, end < 0 ? bytes.byteLength : end);
}
