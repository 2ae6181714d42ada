import { RuntimeError } from "../errors.ts";

/** @throws RuntimeError `BOX_SETTING_INVALID` with the field and what was wanted, unless it is true. */
export function requireSetting(isTrue: boolean, field: string, wanted: string): void {
  if (isTrue) return;
  throw new RuntimeError({
    code: "BOX_SETTING_INVALID",
    message: `a box cannot be like that: ${field} must be ${wanted}`,
    details: { field, wanted },
    hint: `give for ${field}: ${wanted}`,
  });
}

/** The size of a disk that somebody asks for. @throws RuntimeError `BOX_SETTING_INVALID`. */
export function checkDiskSize(sizeBytes: number): void {
  const isSize = Number.isSafeInteger(sizeBytes) && sizeBytes > 0;
  requireSetting(isSize, "diskSizeBytes", "a whole number of bytes, 1 or more");
}
