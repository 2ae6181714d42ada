/** One challenge of a `WWW-Authenticate` header. */
export interface Challenge {
  /** Its scheme in lower case: `basic`, `bearer`. */
  readonly scheme: string;
  /** Its parameters by lower-case name. */
  readonly parameters: ReadonlyMap<string, string>;
}

const maxHeaderLength = 16 * 1024;

/**
 * Parses a `WWW-Authenticate` header (RFC 9110, section 11.6.1) in one pass; what does not fit is left out.
 *
 * A challenge's parameters are `name=token` or `name="quoted"`; a scheme is a token that no `=` follows.
 */
export function parseChallenges(header: string): readonly Challenge[] {
  const challenges: { scheme: string; parameters: Map<string, string> }[] = [];
  const text = header.slice(0, maxHeaderLength);
  let position = 0;
  while (position < text.length) {
    const token = readToken(text, position);
    if (token === "") {
      position++;
      continue;
    }
    position = skipSpaces(text, position + token.length);
    if (text.charAt(position) !== "=") {
      challenges.push({ scheme: token.toLowerCase(), parameters: new Map() });
      continue;
    }
    const value = readValue(text, skipSpaces(text, position + 1));
    challenges.at(-1)?.parameters.set(token.toLowerCase(), value.text);
    position = value.end;
  }
  return challenges;
}

function readToken(text: string, start: number): string {
  let end = start;
  while (end < text.length && !' \t,="'.includes(text.charAt(end))) end++;
  return text.slice(start, end);
}

function skipSpaces(text: string, start: number): number {
  let position = start;
  while (text.charAt(position) === " " || text.charAt(position) === "\t") position++;
  return position;
}

function readValue(text: string, start: number): { text: string; end: number } {
  if (text.charAt(start) !== '"') {
    const token = readToken(text, start);
    return { text: token, end: start + token.length };
  }
  let value = "";
  let position = start + 1;
  for (; position < text.length && text.charAt(position) !== '"'; position++) {
    if (text.charAt(position) === "\\") position++;
    value += text.charAt(position);
  }
  return { text: value, end: position + 1 };
}
