/** A `Content-Range` header: `bytes FIRST-LAST/TOTAL`. */
export interface ContentRange {
  /** First byte of the part. */
  readonly first: number;
  /** Last byte of the part. */
  readonly last: number;
  /** Size of the whole, when it is known. */
  readonly total?: number;
}

/** Parses a `Content-Range` header; nothing for anything but one range of bytes. */
export function parseContentRange(header: string | undefined): ContentRange | undefined {
  const match = /^bytes (\d{1,15})-(\d{1,15})\/(\d{1,15}|\*)$/.exec(header?.trim() ?? "");
  if (match === null) return undefined;
  const [, first = "", last = "", total = ""] = match;
  return {
    first: Number(first),
    last: Number(last),
    ...(total === "*" ? {} : { total: Number(total) }),
  };
}
