import { describe, expect, test } from "vitest";
import { text as portText } from "../../src/commands/port/action.ts";
import { text as statsText } from "../../src/commands/stats/action.ts";
import { DetachKeys, parseDetachKeys } from "../../src/machines/detach-keys.ts";
import { parseMemory } from "../../src/machines/parse-memory.ts";
import { parsePort } from "../../src/machines/parse-port.ts";

const invalid = expect.objectContaining({ code: "CLI_INVALID_ARGUMENT" });

describe("a forwarded port", () => {
  test.each([
    ["80", { hostPort: 0, guestPort: 80 }],
    [":80", { hostPort: 0, guestPort: 80 }],
    ["8080:80/tcp", { hostPort: 8080, guestPort: 80 }],
    ["8080:80", { hostPort: 8080, guestPort: 80 }],
    ["0.0.0.0:8080:80", { hostAddress: "0.0.0.0", hostPort: 8080, guestPort: 80 }],
    ["127.0.0.1::80", { hostAddress: "127.0.0.1", hostPort: 0, guestPort: 80 }],
    ["[::1]:8080:80", { hostAddress: "::1", hostPort: 8080, guestPort: 80 }],
  ])("is written %s", (text, forward) => {
    expect(parsePort(text)).toEqual(forward);
  });

  test.each([
    "",
    "0",
    "65536",
    "65536:80",
    "a:80",
    "80:a",
    "-1",
    "80:",
    "80/udp",
    "80/tcp/tcp",
    "::1:8080:80",
    "1:2:3:4",
  ])("is not written %j", (text) => {
    expect(() => parsePort(text)).toThrow(invalid);
  });

  test("is shown as users of docker know it", () => {
    const v4 = { hostAddress: "127.0.0.1", hostPort: 8080, guestPort: 80 };
    expect(portText([v4, { ...v4, hostAddress: "::1" }])).toBe(
      "80/tcp -> 127.0.0.1:8080\n80/tcp -> [::1]:8080",
    );
  });
});

test("memory is in MiB, unless it has a unit", () => {
  const texts = ["256", "512m", "1.5GiB", "1", "1000000B"];
  expect(texts.map(parseMemory)).toEqual([256, 512, 1536, 1, 1]);
  for (const text of ["", "m", "-1", "0m", "12x"]) expect(() => parseMemory(text)).toThrow(invalid);
});

describe("keys that leave a program", () => {
  test("are letters, or those that a terminal sends with Ctrl", () => {
    expect([...parseDetachKeys("ctrl-p,ctrl-q")]).toEqual([0x10, 0x11]);
    expect([...parseDetachKeys("ctrl-@,ctrl-[,q")]).toEqual([0, 0x1b, 0x71]);
    for (const text of ["", "ctrl-", "ctrl-1", "ab", "ctrl-p,"]) {
      expect(() => parseDetachKeys(text)).toThrow(invalid);
    }
  });

  test.each([
    [["a\x10", "\x11b"], "a", true],
    [["\x10\x10\x11"], "\x10", true],
    [["\x10a", "\x11"], "\x10a\x11", false],
    [["\x11\x10"], "\x11", false],
  ])("are found in %j, and all else is passed on", (typed, passed, isDetached) => {
    const keys = new DetachKeys(parseDetachKeys("ctrl-p,ctrl-q"));
    let text = "";
    let isLeft = false;
    for (const chunk of typed) {
      const found = keys.push(Buffer.from(chunk, "latin1"));
      text += Buffer.from(found.bytes).toString("latin1");
      isLeft ||= found.isDetached;
    }
    expect([text, isLeft]).toEqual([passed, isDetached]);
  });
});

test("what boxes use is a table", () => {
  const guest = {
    ...{ uptimeMs: 1000, cpus: 2, cpuMs: 100, memoryBytes: 2 ** 28, usedMemoryBytes: 2 ** 26 },
    ...{ diskBytes: 2 ** 30, usedDiskBytes: 2 ** 29 },
  };
  const host = { readBytes: 2048, writtenBytes: 1024 };
  expect(statsText([{ name: "web", cpuPercent: 12.34, guest, host }]).split("\n")).toEqual([
    "NAME  CPU    MEMORY            DISK             READ   WRITTEN  ON HOST",
    "web   12.3%  64 MiB / 256 MiB  512 MiB / 1 GiB  2 KiB  1 KiB    ?",
  ]);
});
