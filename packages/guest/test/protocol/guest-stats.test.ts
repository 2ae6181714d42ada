import { parseGuestStats } from "@box/guest/protocol";
import { expect, test } from "vitest";

const told = `disk 1073741824 536870912
cpus 2
12.34 20.00

cpu  100 20 3 5000 60 7 8 9 0 0
cpu0 50 10 1 2500 30 3 4 4 0 0
intr 1
MemTotal:         221184 kB
MemFree:          100000 kB
MemAvailable:     180000 kB
`;

test("what a guest uses is read from what its kernel tells", () => {
  expect(parseGuestStats(told)).toEqual({
    uptimeMs: 12_340,
    cpus: 2,
    cpuMs: (100 + 20 + 3 + 7 + 8) * 10,
    memoryBytes: 221_184 * 1024,
    availableMemoryBytes: 180_000 * 1024,
    diskBytes: 2 ** 30,
    freeDiskBytes: 2 ** 29,
  });
});

test("a guest that lies about what is free has no more than all of it", () => {
  const lie = told.replace("536870912", "9000000000000000").replace("180000", "999999999");
  const { freeDiskBytes, diskBytes, availableMemoryBytes, memoryBytes } = parseGuestStats(lie);
  expect([freeDiskBytes, availableMemoryBytes]).toEqual([diskBytes, memoryBytes]);
});

test.each([
  ["nothing", ""],
  ["no disk", told.replace("disk", "disc")],
  ["no processors", told.replace("cpu  ", "gpu ")],
  ["too large a number", told.replace("536870912", "9".repeat(16))],
  ["a number with a sign", told.replace("221184", "-1")],
])("a guest that tells %s is none", (_, text) => {
  expect(() => parseGuestStats(text)).toThrow(expect.objectContaining({ code: "GUEST_PROTOCOL" }));
});
