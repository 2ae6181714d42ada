import { CliError } from "../errors.ts";

/** What users of docker know. */
export const usualDetachKeys = "ctrl-p,ctrl-q";

/** Keys such as `ctrl-p,ctrl-q` or `q` as the bytes that a terminal sends. @throws CliError `CLI_INVALID_ARGUMENT`. */
export function parseDetachKeys(text: string): Uint8Array {
  return Uint8Array.from(text.split(","), (key) => {
    const [, control] = /^ctrl-([a-z@[\\\]^_])$/.exec(key) ?? [];
    if (control !== undefined) return control.toUpperCase().charCodeAt(0) & 0x1f;
    if (/^[\x21-\x7e]$/.test(key)) return key.charCodeAt(0);
    throw new CliError({
      code: "CLI_INVALID_ARGUMENT",
      message: `--detach-keys: ${JSON.stringify(key)} is no key`,
      hint: "write keys such as ctrl-p,ctrl-q: letters, or ctrl- and one of a-z @ [ \\ ] ^ _",
    });
  });
}

/** Looks for a sequence of keys in what is typed. What may become the sequence waits for the next key. */
export class DetachKeys {
  readonly #keys: Uint8Array;
  #matched = 0;

  constructor(keys: Uint8Array) {
    this.#keys = keys;
  }

  /** What is to be passed on, and whether the whole sequence was typed. */
  push(typed: Uint8Array): { readonly bytes: Uint8Array; readonly isDetached: boolean } {
    const passed: number[] = [];
    for (const byte of typed) {
      if (byte !== this.#keys[this.#matched]) {
        // The keys so far were none of it: what they were is passed on.
        passed.push(...this.#keys.subarray(0, this.#matched));
        this.#matched = 0;
      }
      if (byte === this.#keys[this.#matched]) this.#matched += 1;
      else passed.push(byte);
      if (this.#matched === this.#keys.length) {
        return { bytes: Uint8Array.from(passed), isDetached: true };
      }
    }
    return { bytes: Uint8Array.from(passed), isDetached: false };
  }
}
