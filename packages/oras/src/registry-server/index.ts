export { MemoryRegistryStorage } from "./memory-storage.ts";
export { type ServedRegistry, type ServeRegistryOptions, serveRegistry } from "./serve.ts";
export type { RegistryStorage, StoredManifest, Upload } from "./storage.ts";
