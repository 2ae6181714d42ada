import { type BoxError, isBoxError } from "@box/errors";
import type { ImageErrorCode } from "@box/oci-images";
import type { OrasErrorCode } from "@box/oras";
import { expect } from "vitest";

/** Expects work to fail with a code; returns the error for more questions. */
export async function expectCode(
  work: (() => unknown) | Promise<unknown>,
  code: ImageErrorCode | OrasErrorCode | `IO_${string}`,
): Promise<BoxError> {
  let error: unknown;
  try {
    await (typeof work === "function" ? work() : work);
  } catch (thrown) {
    error = thrown;
  }
  if (!isBoxError(error))
    throw new Error(`expected ${code}, got ${String(error)}`, { cause: error });
  expect(error.code, error.message).toBe(code);
  return error;
}
