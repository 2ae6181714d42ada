export type { TarEntry, TarEntryType, TarTime, TarXattr } from "./entry.ts";
export { TarError, type TarErrorCode, tarErrorKinds } from "./errors.ts";
export type { TarHandlers, TarWarning } from "./handlers.ts";
export { defaultTarLimits, type TarLimits } from "./limits.ts";
export { TarParser } from "./tar-parser.ts";
export { buildTar, tarEnd, tarHeader, tarPadding } from "./tar-writer.ts";
