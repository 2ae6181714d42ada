import {
  BoxError,
  exitCodeOf,
  httpStatusOf,
  isBoxError,
  kindOutcomes,
  toErrorReport,
} from "@box/errors";
import { expect, test } from "vitest";

const missing = new BoxError({
  code: "OVERLAY_MISSING",
  kind: "not-found",
  message: "overlay is gone",
  hint: "pass --recreate-disk",
  cause: new Error("outer", { cause: new Error("ENOENT: no such file") }),
});

test("reports a box error with its causes, nearest first", () => {
  expect(toErrorReport(missing)).toEqual({
    code: "OVERLAY_MISSING",
    kind: "not-found",
    message: "overlay is gone",
    details: {},
    hint: "pass --recreate-disk",
    retryable: false,
    cause: ["outer", "ENOENT: no such file"],
  });
});

test("reports anything else as internal, an abort as aborted", () => {
  expect(toErrorReport("boom")).toMatchObject({ code: "INTERNAL", message: "boom", cause: [] });
  expect(toErrorReport(new DOMException("stop", "AbortError"))).toMatchObject({ code: "ABORTED" });
});

test("ends on a cause that points back to itself", () => {
  const loop = new Error("loop");
  loop.cause = loop;
  expect(toErrorReport(loop).cause).toEqual(["loop"]);
});

test("reports values that cannot be looked at", () => {
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  const message = "a value was thrown that cannot be read";
  for (const value of [Object.create(null), proxy]) {
    expect(toErrorReport(value)).toMatchObject({ code: "INTERNAL", kind: "internal", message });
    expect([isBoxError(value), exitCodeOf(value)]).toEqual([false, 1]);
  }
  expect(toErrorReport(new Error("outer", { cause: proxy })).cause).toEqual([message]);
  const broken = { code: "X", kind: "io", message: "m" } as const;
  const error = Object.defineProperty(new BoxError(broken), "hint", {
    get: () => {
      throw new Error("no hint");
    },
  });
  expect(toErrorReport(error)).toMatchObject({ code: "INTERNAL", message });
});

test("leaves out details that are no JSON", () => {
  const loop: unknown[] = [];
  loop.push(loop);
  const details = { size: 10n, loop, path: "/x" };
  const error = new BoxError({ code: "X", kind: "io", message: "m", details });
  expect(toErrorReport(error).details).toEqual({ path: "/x" });
});

test("maps kinds to exit codes and HTTP statuses by the table", () => {
  expect([exitCodeOf(missing), httpStatusOf(missing)]).toEqual([3, 404]);
  expect(exitCodeOf(new Error("x"))).toBe(1);
});

test("the table of kinds is the one that users and scripts rely on", () => {
  const rows = Object.entries(kindOutcomes).map(
    ([kind, o]) => `${kind} ${o.exitCode}/${o.httpStatus}`,
  );
  expect(rows).toEqual([
    "usage 2/400",
    "invalid-argument 2/400",
    "not-found 3/404",
    "conflict 4/409",
    "in-use 4/409",
    "corrupt 5/422",
    "io 6/500",
    "read-only 6/500",
    "no-space 6/507",
    "network 7/502",
    "auth 8/401",
    "unsupported 9/422",
    "limit 9/422",
    "denied 9/422",
    "encrypted 9/422",
    "backing-missing 10/409",
    "timeout 124/504",
    "aborted 130/499",
    "interrupted 1/500",
    "internal 1/500",
  ]);
});
