/** One link of a `Link` header. */
export interface Link {
  /** Where it leads, as it is written. */
  readonly target: string;
  /** What it is, in lower case: `next`. */
  readonly relations: readonly string[];
}

/**
 * Parses a `Link` header (RFC 8288, section 3) in one pass; what does not fit is left out.
 *
 * A link is `<TARGET>` and parameters, each `; name`, `; name=token` or `; name="quoted"`; the first `rel` counts.
 */
export function parseLinks(header: string): readonly Link[] {
  const links: Link[] = [];
  let position = 0;
  while (position < header.length) {
    const start = header.indexOf("<", position);
    const end = header.indexOf(">", start);
    if (start < 0 || end < 0) break;
    const parameters = readParameters(header, end + 1);
    position = parameters.end;
    const relations = (parameters.rel ?? "")
      .toLowerCase()
      .split(/\s+/)
      .filter((one) => one !== "");
    links.push({ target: header.slice(start + 1, end).trim(), relations });
  }
  return links;
}

/** Reads to the comma that ends a link. */
function readParameters(header: string, start: number): { rel: string | undefined; end: number } {
  let rel: string | undefined;
  let position = start;
  while (position < header.length && header.charAt(position) !== ",") {
    const { text, end } = readUntil(header, position, ";,=");
    position = end;
    if (header.charAt(position) === "=") {
      const value = readUntil(header, position + 1, ";,");
      if (text.trim().toLowerCase() === "rel") rel ??= value.text.trim();
      position = value.end;
    }
    if (header.charAt(position) === ";") position++;
  }
  return { rel, end: position + 1 };
}

/** Reads to one of the ends, which do not count in quotes; the quotes themselves are left out. */
function readUntil(header: string, start: number, ends: string): { text: string; end: number } {
  let text = "";
  let isQuoted = false;
  let position = start;
  for (; position < header.length; position++) {
    const char = header.charAt(position);
    if (char === '"') isQuoted = !isQuoted;
    else if (!isQuoted && ends.includes(char)) break;
    else if (isQuoted && char === "\\") text += header.charAt(++position);
    else text += char;
  }
  return { text, end: position };
}
