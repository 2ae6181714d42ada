import { spawnSync } from "node:child_process";
import { randomFillSync } from "node:crypto";
import { closeSync, mkdtempSync, openSync, rmSync, truncateSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";

/** A folder for a bench, removed at its end. */
export function benchFolder(): { at: (name: string) => string } & Disposable {
  const path = mkdtempSync(join(tmpdir(), "box-bench-"));
  return {
    at: (name) => join(path, name),
    [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }),
  };
}

/** The options of the command line, all of them numbers: `--mib 512 --rounds 5`. */
export function benchOptions<Name extends string>(
  defaults: Readonly<Record<Name, number>>,
): Record<Name, number> {
  const names = Object.keys(defaults) as Name[];
  // Options of the other benches of the package are none of this one's business.
  const { values } = parseArgs({
    options: Object.fromEntries(names.map((name) => [name, { type: "string" as const }])),
    strict: false,
  });
  const entries = names.map((name) => [name, Number(values[name] ?? defaults[name])]);
  return Object.fromEntries(entries) as Record<Name, number>;
}

/** The rival's name and version. */
export function qemuVersion(): string {
  const { stdout } = spawnSync("qemu-img", ["--version"], { encoding: "utf8" });
  if (!stdout) throw new Error("the benches measure beside qemu-img, which is not installed");
  return stdout.split("\n")[0]?.replace(/ \(.*/, "") ?? "";
}

/** Writes a raw disk of 40 % text, 30 % random bytes and 30 % zeros (holes), in pieces of 1 MiB. */
export function writeMixedDisk(path: string, megabytes: number): void {
  const file = openSync(path, "w");
  const text = new TextPieces();
  for (let index = 0; index < megabytes; index++) {
    const kind = (index * 7) % 10;
    if (kind >= 7) continue;
    const piece = kind >= 4 ? randomFillSync(Buffer.alloc(2 ** 20)) : text.next();
    writeSync(file, piece, 0, piece.length, index * 2 ** 20);
  }
  closeSync(file);
  truncateSync(path, megabytes * 2 ** 20);
}

/** In words, what {@link writeMixedDisk} writes. */
export function mixedDiskText(megabytes: number): string {
  return `${megabytes} MiB: 40 % text, 30 % random bytes, 30 % holes, in pieces of 1 MiB`;
}

/** Words and hexadecimal numbers: deflate makes about half of it. */
class TextPieces {
  readonly #words =
    "the image holds a cluster of bytes which nobody wrote but everybody reads ".split(" ");
  #seed = 1;

  next(): Buffer {
    const piece = Buffer.alloc(2 ** 20);
    for (let done = 0; done < piece.length; ) {
      const word = this.#words[this.#random() % this.#words.length];
      const number = this.#random() % 2 === 0 ? `${this.#random().toString(16)} ` : "";
      done += piece.write(`${word} ${number}`, done);
    }
    return piece;
  }

  #random(): number {
    this.#seed = (Math.imul(this.#seed, 1103515245) + 12345) >>> 0;
    return this.#seed >>> 8;
  }
}
