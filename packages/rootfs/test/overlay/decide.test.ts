import {
  type BaseState,
  decide,
  everyOverlayFacts,
  type OverlayFacts,
  type OverlayState,
} from "@box/rootfs";
import { describe, expect, test } from "vitest";

/**
 * The expected table, written by hand from the rules and not by calling any logic.
 *
 * A line is `overlay base : letters`, with twelve letters in three blocks (record made, adopted, never-made), each
 * `guest, guest --recreate-disk, user, user --recreate-disk`.
 */
const expectedTable = `
io-error            present      : IIII IIII IIII
io-error            io-error     : IIII IIII IIII
io-error            missing      : IIII IIII IIII
io-error            not-regular  : IIII IIII IIII
io-error            other-size   : IIII IIII IIII
io-error            other-content: IIII IIII IIII
io-error            not-recorded : IIII IIII IIII
absent              present      : AAMA AAMA CCCC
absent              io-error     : AAMA AAMA CCCC
absent              missing      : AAMA AAMA CCCC
absent              not-regular  : AAMA AAMA CCCC
absent              other-size   : AAMA AAMA CCCC
absent              other-content: AAMA AAMA CCCC
absent              not-recorded : AAMA AAMA CCCC
corrupt             present      : QQXQ QQXQ QQXQ
corrupt             io-error     : bbbb bbbb bbbb
corrupt             missing      : BBBB BBBB BBBB
corrupt             not-regular  : BBBB BBBB BBBB
corrupt             other-size   : BBBB BBBB BBBB
corrupt             other-content: BBBB BBBB BBBB
corrupt             not-recorded : QQXQ QQXQ QQXQ
unsupported         present      : UUUU UUUU UUUU
unsupported         io-error     : bbbb bbbb bbbb
unsupported         missing      : BBBB BBBB BBBB
unsupported         not-regular  : BBBB BBBB BBBB
unsupported         other-size   : BBBB BBBB BBBB
unsupported         other-content: BBBB BBBB BBBB
unsupported         not-recorded : UUUU UUUU UUUU
limit               present      : LLLL LLLL LLLL
limit               io-error     : bbbb bbbb bbbb
limit               missing      : BBBB BBBB BBBB
limit               not-regular  : BBBB BBBB BBBB
limit               other-size   : BBBB BBBB BBBB
limit               other-content: BBBB BBBB BBBB
limit               not-recorded : LLLL LLLL LLLL
in-use              present      : NNNN NNNN NNNN
in-use              io-error     : bbbb bbbb bbbb
in-use              missing      : BBBB BBBB BBBB
in-use              not-regular  : BBBB BBBB BBBB
in-use              other-size   : BBBB BBBB BBBB
in-use              other-content: BBBB BBBB BBBB
in-use              not-recorded : NNNN NNNN NNNN
unknown             present      : ???? ???? ????
unknown             io-error     : bbbb bbbb bbbb
unknown             missing      : BBBB BBBB BBBB
unknown             not-regular  : BBBB BBBB BBBB
unknown             other-size   : BBBB BBBB BBBB
unknown             other-content: BBBB BBBB BBBB
unknown             not-recorded : ???? ???? ????
sound               present      : KKKK KKKK KKKK
sound               io-error     : bbbb bbbb bbbb
sound               missing      : BBBB BBBB BBBB
sound               not-regular  : BBBB BBBB BBBB
sound               other-size   : BBBB BBBB BBBB
sound               other-content: BBBB BBBB BBBB
sound               not-recorded : KKKK DDDD DDDD
sound-other-backing present      : DDDD KKKK KKKK
sound-other-backing io-error     : bbbb bbbb bbbb
sound-other-backing missing      : BBBB BBBB BBBB
sound-other-backing not-regular  : BBBB BBBB BBBB
sound-other-backing other-size   : BBBB BBBB BBBB
sound-other-backing other-content: BBBB BBBB BBBB
sound-other-backing not-recorded : DDDD DDDD DDDD
sound-no-backing    present      : DDDD KKKK KKKK
sound-no-backing    io-error     : bbbb bbbb bbbb
sound-no-backing    missing      : BBBB BBBB BBBB
sound-no-backing    not-regular  : BBBB BBBB BBBB
sound-no-backing    other-size   : BBBB BBBB BBBB
sound-no-backing    other-content: BBBB BBBB BBBB
sound-no-backing    not-recorded : KKKK KKKK KKKK
sound-other-format  present      : DDDD DDDD DDDD
sound-other-format  io-error     : bbbb bbbb bbbb
sound-other-format  missing      : BBBB BBBB BBBB
sound-other-format  not-regular  : BBBB BBBB BBBB
sound-other-format  other-size   : BBBB BBBB BBBB
sound-other-format  other-content: BBBB BBBB BBBB
sound-other-format  not-recorded : DDDD DDDD DDDD
`;

/** What each letter stands for; `Q` becomes `F` when moving the corrupt file aside failed. */
const actions: Readonly<Record<string, unknown>> = {
  I: { type: "refuse", row: 1, code: "OVERLAY_IO" },
  C: { type: "create", row: 2, again: false },
  A: { type: "create", row: 2, again: true },
  M: { type: "refuse", row: 2, code: "OVERLAY_MISSING" },
  b: { type: "refuse", row: 3, code: "OVERLAY_BACKING_IO" },
  B: { type: "refuse", row: 4, code: "OVERLAY_BACKING_MISSING" },
  Q: { type: "recreate", row: 5 },
  X: { type: "refuse", row: 5, code: "OVERLAY_CORRUPT" },
  F: { type: "refuse", row: 6, code: "OVERLAY_QUARANTINE_FAILED" },
  U: { type: "refuse", row: 7, code: "OVERLAY_UNSUPPORTED" },
  L: { type: "refuse", row: 7, code: "OVERLAY_LIMIT" },
  N: { type: "refuse", row: 7, code: "OVERLAY_IN_USE" },
  "?": { type: "refuse", row: 7, code: "OVERLAY_UNKNOWN" },
  D: { type: "refuse", row: 8, code: "OVERLAY_BACKING_MISMATCH" },
  K: { type: "keep", row: 9 },
};

const lettersByStates = new Map(
  expectedTable
    .trim()
    .split("\n")
    .map((line) => {
      const [states = "", letters = ""] = line.split(":");
      return [states.trim().split(/\s+/).join("+"), letters.replaceAll(" ", "")] as const;
    }),
);

function expectedAction(facts: OverlayFacts): unknown {
  const letters = lettersByStates.get(`${facts.overlay}+${facts.base}`) ?? "";
  const block = { made: 0, adopted: 4, "never-made": 8 }[facts.record];
  const column = (facts.role === "user" ? 2 : 0) + (facts.policy.recreateDisk ? 1 : 0);
  const letter = letters.charAt(block + column);
  return actions[letter === "Q" && facts.quarantineFailed ? "F" : letter];
}

const name = (facts: OverlayFacts) => JSON.stringify(facts);

describe("decide", () => {
  test("agrees with the hand-written table on every combination of facts", () => {
    let combinations = 0;
    for (const facts of everyOverlayFacts()) {
      combinations += 1;
      expect(decide(facts), name(facts)).toEqual(expectedAction(facts));
    }
    expect(combinations).toBe(11 * 7 * 3 * 2 * 2 * 2);
    expect(lettersByStates.size).toBe(11 * 7);
  });

  test("never replaces an overlay that is not known to be corrupt", () => {
    for (const facts of everyOverlayFacts()) {
      const action = decide(facts);
      if (action.type === "recreate") expect(facts.overlay, name(facts)).toBe("corrupt");
      if (action.type === "create") expect(facts.overlay, name(facts)).toBe("absent");
    }
  });

  test("never lets an I/O error, a lost base or an unknown state reach a discard", () => {
    const suspicious = ["io-error", "unknown", "in-use", "unsupported", "limit"];
    const lost = ["io-error", "missing", "not-regular", "other-size", "other-content"];
    for (const facts of everyOverlayFacts()) {
      const isSafeToReplace =
        !suspicious.includes(facts.overlay) &&
        !(facts.overlay !== "absent" && lost.includes(facts.base));
      if (!isSafeToReplace) expect(decide(facts).type, name(facts)).toBe("refuse");
    }
  });

  test("never replaces the user's disk unless the user asked for it", () => {
    for (const facts of everyOverlayFacts()) {
      if (facts.role !== "user" || facts.policy.recreateDisk) continue;
      const action = decide(facts);
      expect(action.type, name(facts)).not.toBe("recreate");
      if (action.type === "create") expect(facts.record, name(facts)).toBe("never-made");
    }
  });

  test("keeps a sound overlay even when the user allowed a new disk", () => {
    const facts: OverlayFacts = {
      overlay: "sound",
      base: "present",
      record: "made",
      role: "user",
      policy: { recreateDisk: true },
      quarantineFailed: false,
    };
    expect(decide(facts)).toEqual({ type: "keep", row: 9 });
  });

  test.each([
    ["an overlay state", "melted" as OverlayState, "present"],
    ["a base state", "corrupt", "melted" as BaseState],
  ] as const)("refuses %s that it has never heard of", (_what, overlay, base) => {
    const facts: OverlayFacts = {
      overlay,
      base,
      record: "made",
      role: "guest",
      policy: { recreateDisk: true },
      quarantineFailed: false,
    };
    expect(decide(facts)).toEqual({ type: "refuse", row: 7, code: "OVERLAY_UNKNOWN" });
  });
});
