export type { RegistryAuth } from "./access.ts";
export type {
  CollectedRegistry,
  CollectRegistryOptions,
  DamagedManifest,
  RepositoryManifest,
} from "./folder-garbage.ts";
export { FolderRegistryStorage, type OpenFolderOptions } from "./folder-storage.ts";
export { MemoryRegistryStorage } from "./memory-storage.ts";
export {
  type ServedRegistry,
  type ServedRequest,
  type ServeRegistryOptions,
  serveRegistry,
} from "./serve.ts";
export type { RegistryStorage, StoredManifest, Upload } from "./storage.ts";
