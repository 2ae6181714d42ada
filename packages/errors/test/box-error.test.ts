import { BoxError, isBoxError, kindOf } from "@box/errors";
import { describe, expect, test } from "vitest";

class DiskError extends BoxError<"DISK_READ"> {}

describe("BoxError", () => {
  test("keeps code, kind, message, details, hint and cause", () => {
    const cause = new Error("EIO");
    const error = new DiskError({
      code: "DISK_READ",
      kind: "io",
      message: "cannot read disk",
      details: { path: "/a" },
      hint: "try again",
      retryable: true,
      cause,
    });
    expect(error).toMatchObject({
      name: "DiskError",
      code: "DISK_READ",
      kind: "io",
      details: { path: "/a" },
      hint: "try again",
      retryable: true,
      cause,
    });
  });

  test("has no cause when none was given, and is not retryable", () => {
    const error = new BoxError({ code: "X", kind: "usage", message: "x" });
    expect("cause" in error).toBe(false);
    expect(error.retryable).toBe(false);
    expect(error.details).toEqual({});
  });
});

describe("isBoxError", () => {
  test("knows an error of another copy of the package by its brand", () => {
    const foreign = Object.assign(new Error("x"), { code: "X", kind: "io" });
    Object.defineProperty(foreign, Symbol.for("@box/errors/BoxError"), { value: true });
    expect(isBoxError(foreign)).toBe(true);
  });

  test("does not take a look-alike without the brand", () => {
    expect(isBoxError(Object.assign(new Error("x"), { code: "X", kind: "io" }))).toBe(false);
    expect(isBoxError({ [Symbol.for("@box/errors/BoxError")]: true })).toBe(false);
    expect(isBoxError(undefined)).toBe(false);
  });
});

describe("kindOf", () => {
  test("is internal for a plain error and aborted for an abort", () => {
    expect(kindOf(new Error("x"))).toBe("internal");
    expect(kindOf(new DOMException("stop", "AbortError"))).toBe("aborted");
    expect(kindOf("x")).toBe("internal");
  });
});
