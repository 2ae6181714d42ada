import type { Descriptor } from "../content/descriptor.ts";
import type { Digest } from "../content/digest.ts";

/** A manifest as a registry keeps it. */
export interface StoredManifest {
  /** The `Content-Type` it was pushed with. */
  readonly mediaType: string;
  /** Its digest. */
  readonly digest: Digest;
  /** Its bytes as they were pushed. */
  readonly bytes: Uint8Array;
  /** The digest of the manifest it is about. */
  readonly subject?: Digest;
  /** How it is listed among the referrers of its subject. */
  readonly listed: Descriptor;
}

/** A blob that is being uploaded. */
export interface Upload {
  /** The session's name. */
  readonly id: string;
  /** The repository it belongs to. */
  readonly repository: string;
  /** Bytes received so far. */
  readonly size: number;
  /** Adds bytes. */
  append(bytes: Uint8Array): Promise<void>;
  /** Lets go of what is open until more bytes come. */
  pause(): Promise<void>;
}

/** Where a registry keeps its content. */
export interface RegistryStorage {
  /** All repositories, sorted. */
  repositories(): Promise<readonly string[]>;
  /** The size of a blob that a repository has. */
  blobSize(repository: string, digest: Digest): Promise<number | undefined>;
  /** Reads a part of a blob; `end` is not included. */
  readBlob(digest: Digest, start: number, end: number): AsyncIterable<Uint8Array>;
  /** Lets a repository have a blob of another one. @returns false when that one has no such blob. */
  mountBlob(from: string, to: string, digest: Digest): Promise<boolean>;
  /** Takes a blob away from a repository. */
  deleteBlob(repository: string, digest: Digest): Promise<boolean>;
  /** Begins an upload. */
  startUpload(repository: string): Promise<Upload>;
  /** An upload that has begun. */
  findUpload(repository: string, id: string): Promise<Upload | undefined>;
  /** Makes an upload a blob when it hashes to the digest. @returns false when it does not; the upload is gone. */
  finishUpload(upload: Upload, digest: Digest): Promise<boolean>;
  /** Throws an upload away. */
  cancelUpload(upload: Upload): Promise<void>;
  /** A manifest by tag or digest. */
  findManifest(repository: string, reference: string): Promise<StoredManifest | undefined>;
  /** Keeps a manifest, and under a tag when one is given. */
  putManifest(repository: string, manifest: StoredManifest, tag?: string): Promise<void>;
  /** Removes a manifest and its tags. */
  deleteManifest(repository: string, digest: Digest): Promise<boolean>;
  /** Removes a tag. */
  deleteTag(repository: string, tag: string): Promise<boolean>;
  /** The tags of a repository, sorted; nothing for an unknown repository. */
  tags(repository: string): Promise<readonly string[] | undefined>;
  /** Lets go of what is open; uploads that are under way are lost. */
  close?(): Promise<void>;
  /** The manifests about a manifest. */
  referrers(repository: string, subject: Digest): Promise<readonly Descriptor[]>;
}
