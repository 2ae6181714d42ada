import { OrasError } from "../errors.ts";
import { type Digest, isDigest } from "./digest.ts";

/** A reference to content of one registry: `HOST[:PORT]/NAME[:TAG][@DIGEST]`. */
export interface RegistryReference {
  /** Host and, when given, port: `127.0.0.1:5000`, `[::1]:5000`. */
  readonly host: string;
  /** Repository: `library/debian`. */
  readonly repository: string;
  /** Tag, when given. */
  readonly tag?: string;
  /** Digest, when given; it decides over the tag. */
  readonly digest?: Digest;
}

/** The parts of a reference whose first component has not been judged: `NAME[:TAG][@DIGEST]`. */
export interface ReferenceParts {
  /** Everything before tag and digest. */
  readonly name: string;
  /** Tag, when given. */
  readonly tag?: string;
  /** Digest, when given. */
  readonly digest?: Digest;
}

const maxReferenceLength = 1024;
const maxNameLength = 255;
const maxTagLength = 128;

/**
 * Parses a full reference of a registry. Runs in linear time, without backtracking.
 *
 * @throws {@link OrasError} `OCI_INVALID_REFERENCE`, `OCI_INVALID_DIGEST`.
 */
export function parseRegistryReference(text: string): RegistryReference {
  const { name, ...rest } = splitReference(text);
  const slash = name.indexOf("/");
  if (slash < 0) throw invalid(text, "it names no registry, expected HOST/NAME");
  const host = name.slice(0, slash);
  const repository = name.slice(slash + 1);
  if (!isRegistryHost(host)) throw invalid(text, `${quote(host)} is not a host with a port`);
  validateRepository(repository, text);
  if (name.length > maxNameLength) throw invalid(text, "its name is longer than 255 characters");
  return { host, repository, ...rest };
}

/** Writes a reference in the form that {@link parseRegistryReference} reads. */
export function formatRegistryReference(reference: RegistryReference): string {
  const tag = reference.tag === undefined ? "" : `:${reference.tag}`;
  const digest = reference.digest === undefined ? "" : `@${reference.digest}`;
  return `${reference.host}/${reference.repository}${tag}${digest}`;
}

/**
 * Splits tag and digest from a name; both are checked, the name is not.
 *
 * @throws {@link OrasError} `OCI_INVALID_REFERENCE`, `OCI_INVALID_DIGEST`.
 */
export function splitReference(text: string): ReferenceParts {
  if (text.length > maxReferenceLength) throw invalid(text, "it is too long");
  const at = text.indexOf("@");
  const head = at < 0 ? text : text.slice(0, at);
  const digest = at < 0 ? undefined : text.slice(at + 1);
  if (digest !== undefined && !isDigest(digest)) {
    throw new OrasError({
      code: "OCI_INVALID_DIGEST",
      message: `cannot parse reference ${quote(text)}: what follows @ is not a digest`,
      hint: "a digest is sha256: and 64 lower-case hexadecimal digits",
    });
  }
  const colon = head.lastIndexOf(":");
  const hasTag = colon > head.lastIndexOf("/");
  const tag = hasTag ? head.slice(colon + 1) : undefined;
  if (tag !== undefined && !isTag(tag)) throw invalid(text, `${quote(tag)} is not a tag`);
  return {
    name: hasTag ? head.slice(0, colon) : head,
    ...(tag === undefined ? {} : { tag }),
    ...(digest === undefined ? {} : { digest }),
  };
}

/** Tells whether a text is a tag: `[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}`. */
export function isTag(text: string): boolean {
  if (text.length === 0 || text.length > maxTagLength) return false;
  for (let index = 0; index < text.length; index++) {
    const char = text.charAt(index);
    const isInner = index > 0 && (char === "." || char === "-");
    if (!isInner && char !== "_" && !isAlphanumeric(char) && !isUpper(char)) return false;
  }
  return true;
}

/** Tells whether a text is a repository name by the distribution specification. */
export function isRepository(text: string): boolean {
  return text.length <= maxNameLength && text.split("/").every(isPathComponent);
}

/**
 * Tells whether a text is a host with an optional port: a name, an IPv4 address, or an IPv6 address in brackets.
 */
export function isRegistryHost(text: string): boolean {
  const isBracketed = text.startsWith("[");
  const end = isBracketed ? text.indexOf("]") + 1 : text.indexOf(":");
  const name = end > 0 ? text.slice(0, end) : text;
  const rest = text.slice(name.length);
  if (rest !== "" && !isPort(rest)) return false;
  return isBracketed ? isBracketedAddress(name) : name.split(".").every(isHostLabel);
}

function validateRepository(repository: string, text: string): void {
  if (isRepository(repository)) return;
  if (isRepository(repository.toLowerCase())) {
    throw invalid(text, "repository names are lower-case");
  }
  throw invalid(text, `${quote(repository)} is not a repository name`);
}

/** `[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*`, one character at a time. */
function isPathComponent(text: string): boolean {
  let separator = "";
  for (const char of text) {
    if (isAlphanumeric(char)) {
      separator = "";
      continue;
    }
    separator += char;
    if (separator !== "." && separator !== "_" && separator !== "__" && !isDashes(separator)) {
      return false;
    }
  }
  return text !== "" && separator === "" && isAlphanumeric(text.charAt(0));
}

function isDashes(text: string): boolean {
  // The text grows by one: all before its last character has been judged already.
  return text.endsWith("-") && text.startsWith("-");
}

function isHostLabel(text: string): boolean {
  if (text === "" || text.startsWith("-") || text.endsWith("-")) return false;
  return [...text].every((char) => isAlphanumeric(char) || isUpper(char) || char === "-");
}

function isBracketedAddress(text: string): boolean {
  const inner = text.slice(1, -1);
  return text.endsWith("]") && inner.includes(":") && [...inner].every(isAddressChar);
}

function isAddressChar(char: string): boolean {
  return char === ":" || (char >= "0" && char <= "9") || /^[a-fA-F.]$/.test(char);
}

function isPort(text: string): boolean {
  const digits = text.slice(1);
  const isNumber = digits.length <= 5 && [...digits].every((char) => char >= "0" && char <= "9");
  return text.startsWith(":") && digits !== "" && isNumber && Number(digits) <= 65_535;
}

function isAlphanumeric(char: string): boolean {
  return (char >= "a" && char <= "z") || (char >= "0" && char <= "9");
}

function isUpper(char: string): boolean {
  return char >= "A" && char <= "Z";
}

function quote(text: string): string {
  return JSON.stringify(text.length > 160 ? `${text.slice(0, 160)}...` : text);
}

function invalid(text: string, why: string): OrasError {
  return new OrasError({
    code: "OCI_INVALID_REFERENCE",
    message: `cannot parse reference ${quote(text)}: ${why}`,
    hint: "references look like HOST[:PORT]/NAME[:TAG][@DIGEST]",
  });
}
