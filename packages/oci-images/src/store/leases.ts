import { randomUUID } from "node:crypto";
import { readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import {
  acquireLock,
  acquireLockIfFree,
  ensureDirectory,
  errnoOf,
  type Lock,
  toIoError,
} from "@box/io/node";
import { type Descriptor, descriptorSchema, OrasError } from "@box/oras";

/** Who needs content for a while, although no name may lead to it any more. */
export interface Leases {
  /**
   * Keeps blobs, and what manifests among them lead to, until it is disposed of or this process dies. They need not be
   * there yet.
   */
  acquire(contents: readonly Descriptor[]): Promise<AsyncDisposable>;
  /** What is kept at present, by this and other processes. */
  held(): Promise<readonly Descriptor[]>;
}

/**
 * Leases as files in a folder, each with a lock that the kernel frees when its process dies. Whoever calls them holds
 * the layout's lock, so that no lease begins while garbage is collected.
 */
export class FileLeases implements Leases {
  readonly #folder: string;

  /** @param folder - Made when the first lease begins. */
  constructor(folder: string) {
    this.#folder = folder;
  }

  /** {@inheritDoc Leases.acquire} */
  async acquire(contents: readonly Descriptor[]): Promise<AsyncDisposable> {
    await ensureDirectory(this.#folder);
    const path = join(this.#folder, randomUUID());
    const lock = await acquireLock(`${path}.lock`, { command: "use images", timeoutMs: 0 });
    try {
      await writeFile(`${path}.json`, JSON.stringify(contents), { mode: 0o600 });
    } catch (error) {
      await end(path, lock);
      throw toIoError(error, { action: "cannot write", path: `${path}.json` });
    }
    return { [Symbol.asyncDispose]: () => end(path, lock) };
  }

  /** {@inheritDoc Leases.held} */
  async held(): Promise<readonly Descriptor[]> {
    const contents: Descriptor[] = [];
    for (const name of await this.#names()) {
      const path = join(this.#folder, name.slice(0, -".json".length));
      // Free when its process is gone.
      const lock = await acquireLockIfFree(`${path}.lock`);
      if (lock === undefined) contents.push(...(await readContents(`${path}.json`)));
      else await end(path, lock);
    }
    return contents;
  }

  async #names(): Promise<readonly string[]> {
    try {
      return (await readdir(this.#folder)).filter((name) => name.endsWith(".json"));
    } catch (error) {
      if (errnoOf(error) === "ENOENT") return [];
      throw toIoError(error, { action: "cannot list", path: this.#folder });
    }
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
  const contents: unknown = parse(text);
  const isRight = (one: unknown): one is Descriptor => descriptorSchema.safeParse(one).success;
  if (Array.isArray(contents) && contents.every(isRight)) return contents;
  throw new OrasError({
    code: "OCI_LAYOUT_INVALID",
    message: `cannot tell what is in use: ${path} is malformed`,
    details: { path },
  });
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

async function end(path: string, lock: Lock): Promise<void> {
  await rm(`${path}.json`, { force: true });
  await lock.release();
  await rm(`${path}.lock`, { force: true });
}
