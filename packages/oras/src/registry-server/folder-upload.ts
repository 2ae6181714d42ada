import { dirname } from "node:path";
import type { OpenFile } from "@box/io";
import { ensureDirectory, openFile, removeFileDurably, renameDurably } from "@box/io/node";
import { type Digest, Digester, digestAlgorithm } from "../content/digest.ts";
import { readPart } from "./read-file.ts";
import type { Upload } from "./storage.ts";

/** An upload that collects its bytes in a file, which is open only while they come. */
export class FolderUpload implements Upload {
  readonly id: string;
  readonly repository: string;
  /** Where its bytes are. */
  readonly path: string;
  #file: OpenFile | undefined;
  #size = 0;

  private constructor(path: string, id: string, repository: string) {
    this.path = path;
    this.id = id;
    this.repository = repository;
  }

  /** Begins one with an empty file. */
  static async create(path: string, id: string, repository: string): Promise<FolderUpload> {
    await (await openFile(path, { mode: "create" })).close();
    return new FolderUpload(path, id, repository);
  }

  /** {@inheritDoc Upload.size} */
  get size(): number {
    return this.#size;
  }

  /** {@inheritDoc Upload.append} */
  async append(bytes: Uint8Array): Promise<void> {
    this.#file ??= await openFile(this.path, { mode: "rw" });
    await this.#file.write?.(this.#size, bytes);
    this.#size += bytes.byteLength;
  }

  /** {@inheritDoc Upload.pause} */
  async pause(): Promise<void> {
    const file = this.#file;
    this.#file = undefined;
    await file?.close();
  }

  /** Makes sure that its bytes are on disk. */
  async flush(): Promise<void> {
    this.#file ??= await openFile(this.path, { mode: "rw" });
    try {
      await this.#file.flush?.();
    } finally {
      await this.pause();
    }
  }

  /** Throws it away. */
  async remove(): Promise<void> {
    await this.pause();
    await removeFileDurably(this.path);
  }
}

/** Tells whether a text can be the name of an upload: a UUID. */
export function isUploadId(text: string): boolean {
  return /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(text);
}

/** Moves an upload to its place when it hashes to the digest. @returns false, and it is gone, when it does not. */
export async function finishFolderUpload(
  upload: FolderUpload,
  digest: Digest,
  destination: string,
): Promise<boolean> {
  const { path, size } = upload;
  await upload.flush();
  const digester = new Digester(digestAlgorithm(digest));
  for await (const chunk of readPart(path, 0, size)) digester.update(chunk);
  if (digester.digest() !== digest) {
    await removeFileDurably(path);
    return false;
  }
  await ensureDirectory(dirname(destination));
  await renameDurably(path, destination);
  return true;
}
