import { randomUUID } from "node:crypto";
import { appendFile, readdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import {
  acquireLock,
  acquireLockIfFree,
  ensureDirectory,
  errnoOf,
  type Lock,
  toIoError,
} from "@box/io/node";
import { type Descriptor, readDescriptor } from "../content/descriptor.ts";
import type { ContentLease, OperationOptions } from "../content/target.ts";
import { OrasError } from "../errors.ts";
import { Misfit, readList } from "../json/read-value.ts";

/** Runs work while no other process changes the index. */
export type Exclusively = <T>(work: () => Promise<T>, signal?: AbortSignal) => Promise<T>;

const readLine = readList(readDescriptor);

/**
 * Begins a lease: a file with a lock that the kernel frees when its process dies. It is written and grows while the index
 * is locked, so that no lease begins while garbage is collected.
 *
 * | line | meaning |
 * | --- | --- |
 * | each | an array of descriptors that are kept |
 *
 * @param folder - Made when the first lease begins.
 */
export async function beginLease(
  folder: string,
  contents: Iterable<Descriptor>,
  exclusively: Exclusively,
  { signal }: OperationOptions,
): Promise<ContentLease> {
  await ensureDirectory(folder);
  const path = join(folder, randomUUID());
  const known = new Set<string>();
  const add = async (more: Iterable<Descriptor>, isFirst: boolean): Promise<void> => {
    const fresh = takeFresh(more, known);
    if (fresh.length > 0 || isFirst) await appendLine(`${path}.json`, fresh);
  };
  const lock = await exclusively(async () => {
    const taken = await acquireLock(`${path}.lock`, { command: "use content", timeoutMs: 0 });
    try {
      await add(contents, true);
      return taken;
    } catch (error) {
      await endLease(path, taken);
      throw error;
    }
  }, signal);
  return {
    add: async (more, options = {}) => {
      if (hasFresh(more, known)) await exclusively(() => add(more, false), options.signal);
    },
    [Symbol.asyncDispose]: () => endLease(path, lock),
  };
}

/**
 * What leases keep; those of dead processes are removed. The caller has locked the index.
 *
 * @throws {@link OrasError} `OCI_LAYOUT_INVALID` for a lease that cannot be understood; IoError.
 */
export async function readLeases(folder: string): Promise<readonly Descriptor[]> {
  const contents: Descriptor[] = [];
  for (const name of await leaseNames(folder)) {
    const path = join(folder, name.slice(0, -".json".length));
    // Free when its process is gone.
    const lock = await acquireLockIfFree(`${path}.lock`);
    if (lock === undefined) contents.push(...(await readContents(`${path}.json`)));
    else await endLease(path, lock);
  }
  return contents;
}

function keyOf({ digest, mediaType }: Descriptor): string {
  return `${digest} ${mediaType}`;
}

function hasFresh(contents: Iterable<Descriptor>, known: ReadonlySet<string>): boolean {
  for (const one of contents) if (!known.has(keyOf(one))) return true;
  return false;
}

function takeFresh(contents: Iterable<Descriptor>, known: Set<string>): readonly Descriptor[] {
  const fresh: Descriptor[] = [];
  for (const one of contents) {
    const key = keyOf(one);
    if (known.has(key)) continue;
    known.add(key);
    fresh.push({ mediaType: one.mediaType, digest: one.digest, size: one.size });
  }
  return fresh;
}

async function appendLine(path: string, contents: readonly Descriptor[]): Promise<void> {
  try {
    await appendFile(path, `${JSON.stringify(contents)}\n`, { mode: 0o600 });
  } catch (error) {
    throw toIoError(error, { action: "cannot write", path });
  }
}

async function leaseNames(folder: string): Promise<readonly string[]> {
  try {
    return (await readdir(folder)).filter((name) => name.endsWith(".json"));
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return [];
    throw toIoError(error, { action: "cannot list", path: folder });
  }
}

async function readContents(path: string): Promise<readonly Descriptor[]> {
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (error) {
    // It has ended since.
    if (errnoOf(error) === "ENOENT") return [];
    throw toIoError(error, { action: "cannot read", path });
  }
  const contents: Descriptor[] = [];
  for (const line of text.replace(/\n$/, "").split("\n")) {
    try {
      contents.push(...readLine(JSON.parse(line)));
    } catch (error) {
      if (error instanceof Misfit || error instanceof SyntaxError) throw malformed(path);
      throw error;
    }
  }
  return contents;
}

function malformed(path: string): OrasError {
  return new OrasError({
    code: "OCI_LAYOUT_INVALID",
    message: `cannot tell what is in use: ${path} is malformed`,
    details: { path },
  });
}

async function endLease(path: string, lock: Lock): Promise<void> {
  await rm(`${path}.json`, { force: true });
  await lock.release();
  await rm(`${path}.lock`, { force: true });
}
