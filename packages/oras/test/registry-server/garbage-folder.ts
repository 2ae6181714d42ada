import { cp, readdir, utimes } from "node:fs/promises";
import { join } from "node:path";
import {
  type Descriptor,
  type Digest,
  fetchManifestBytes,
  parseManifest,
  RemoteRepository,
} from "@box/oras";
import {
  FolderRegistryStorage,
  type ServedRegistry,
  serveRegistry,
} from "@box/oras/registry-server";
import { drain } from "@box/test-support";
import { onTestFinished } from "vitest";
import { temporaryFolder } from "../temporary-folder.ts";
import { testClient } from "../test-client.ts";

export const hourMs = 3_600_000;

/** A registry in a folder. */
export interface FolderRegistry {
  readonly folder: string;
  readonly storage: FolderRegistryStorage;
  readonly served: ServedRegistry;
}

/** Serves a folder, or a copy of one, until the test ends. */
export async function folderRegistry(
  from?: string,
  now: () => number = Date.now,
): Promise<FolderRegistry> {
  const folder = await temporaryFolder();
  if (from !== undefined) await cp(from, folder, { recursive: true, preserveTimestamps: true });
  const storage = await FolderRegistryStorage.open(folder, now(), { now });
  const served = await serveRegistry({ storage });
  onTestFinished(() => served.close());
  return { folder, storage, served };
}

/** A repository of it, as clients see it. */
export function repositoryOf({ served }: FolderRegistry, name: string): RemoteRepository {
  return new RemoteRepository(testClient(), served.host, name);
}

/** Makes everything in a folder as old as that. */
export async function age(folder: string, ageMs: number): Promise<void> {
  const then = (Date.now() - ageMs) / 1000;
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    if (entry.isFile()) await utimes(join(entry.parentPath, entry.name), then, then);
  }
}

/** The digests of all content in a registry's folder. */
export async function contentOf(folder: string): Promise<ReadonlySet<Digest>> {
  const names = await readdir(join(folder, "blobs", "sha256"));
  return new Set(names.map((name): Digest => `sha256:${name}`));
}

/** Pulls a manifest with all that it consists of, verified; what it is about need not be there. */
export async function pullWhole(repository: RemoteRepository, reference: string): Promise<void> {
  await pullBelow(repository, await repository.resolve(reference));
}

async function pullBelow(repository: RemoteRepository, root: Descriptor): Promise<void> {
  const bytes = await fetchManifestBytes(repository, root);
  const document = parseManifest(bytes, { mediaType: root.mediaType });
  if (document.type === "index") {
    for (const child of document.index.manifests) await pullBelow(repository, child);
    return;
  }
  const { config, layers } = document.manifest;
  for (const blob of [config, ...layers]) await drain(repository.fetch(blob));
}
