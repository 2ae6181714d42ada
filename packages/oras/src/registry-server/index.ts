export type { RegistryAuth } from "./access.ts";
export { FolderRegistryStorage } from "./folder-storage.ts";
export { MemoryRegistryStorage } from "./memory-storage.ts";
export {
  type ServedRegistry,
  type ServedRequest,
  type ServeRegistryOptions,
  serveRegistry,
} from "./serve.ts";
export type { RegistryStorage, StoredManifest, Upload } from "./storage.ts";
