import { isBoxError } from "@box/errors";
import {
  assembleBootstrapImage,
  type GuestArchitecture,
  GuestError,
  guestArchitectures,
  parseGuestArchitecture,
} from "@box/guest";
import { describe, expect, test } from "vitest";

describe("parseGuestArchitecture", () => {
  test.each(guestArchitectures)("takes %s", (architecture) => {
    expect(parseGuestArchitecture(architecture)).toBe(architecture);
  });

  test.each(["x64", "AMD64", "", "riscv64", "toString"])("refuses %j as unsupported", (name) => {
    const error = thrownBy(() => parseGuestArchitecture(name));
    expect(error).toBeInstanceOf(GuestError);
    expect(isBoxError(error)).toBe(true);
    expect(error).toMatchObject({
      code: "GUEST_ARCHITECTURE_UNKNOWN",
      kind: "unsupported",
      details: { architecture: name, known: ["amd64", "arm64"] },
      hint: "use one of amd64, arm64",
    });
  });
});

test("assembleBootstrapImage refuses an architecture that a caller without types gives it", () => {
  const architecture = "s390x" as GuestArchitecture;
  expect(thrownBy(() => assembleBootstrapImage({ architecture }))).toMatchObject({
    code: "GUEST_ARCHITECTURE_UNKNOWN",
  });
});

function thrownBy(action: () => unknown): unknown {
  try {
    action();
  } catch (error) {
    return error;
  }
  throw new Error("nothing was thrown");
}
