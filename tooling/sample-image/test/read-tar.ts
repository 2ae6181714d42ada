import { type TarEntry, TarParser } from "@box/tar";

/** A file as a layer has it. */
export interface ReadEntry {
  readonly entry: TarEntry;
  readonly content: Uint8Array;
}

/** The files of a tar, in its order. */
export function readTar(tar: Uint8Array): ReadEntry[] {
  const entries: ReadEntry[] = [];
  const parser = new TarParser({
    entry: (entry) => entries.push({ entry, content: new Uint8Array(entry.sizeBytes) }),
    data: (chunk, offset) => entries.at(-1)?.content.set(chunk, offset),
  });
  parser.push(tar);
  parser.finish();
  return entries;
}

/** A path or link target with one character for each byte and no slash at its end. */
export function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("latin1").replace(/\/$/, "");
}
