import type { RegistryResponse } from "./response.ts";

/** What a registry wants its users to know: that it will close, say, or that a repository has moved. */
export interface RegistryWarning {
  /** The host that says so. */
  readonly host: string;
  /** One line without control characters. */
  readonly text: string;
}

const maxWarnings = 20;
const maxTextLength = 400;
const maxHeaderLength = 4096;

/** Finds the warnings of replies, by their `Warning: 299 - "TEXT"` headers. They are only ever shown. */
export class Warnings {
  readonly #tell: (warning: RegistryWarning) => void;
  readonly #told: Set<string> = new Set();

  /** @param tell - Told each text of a host once, and no more than 20 in all. */
  constructor(tell: (warning: RegistryWarning) => void) {
    this.#tell = tell;
  }

  /** Tells what a reply warns of. */
  note({ url: { host }, headerLines }: RegistryResponse): void {
    for (const text of headerLines("warning").flatMap(textsOf)) {
      const key = `${host} ${text}`;
      if (this.#told.size >= maxWarnings || this.#told.has(key)) continue;
      this.#told.add(key);
      this.#tell({ host, text });
    }
  }
}

/** The code 299, no agent, and text in quotes; other warnings are those of caches. One header may have several. */
function textsOf(line: string): readonly string[] {
  const matches = line.slice(0, maxHeaderLength).matchAll(/(?:^|,)\s*299 - "((?:[^"\\]|\\.)*)"/g);
  return [...matches].map(([, quoted = ""]) => toLine(quoted)).filter((text) => text !== "");
}

function toLine(quoted: string): string {
  const text = quoted
    .replace(/\\(.)/g, "$1")
    .replace(/[\s\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+/gu, " ")
    .trim();
  return text.length <= maxTextLength ? text : `${text.slice(0, maxTextLength)}...`;
}
