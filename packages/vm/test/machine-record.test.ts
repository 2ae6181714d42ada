import { processIdentity } from "@box/io/node";
import { isMachineAlive, isOfEarlierBoot, type MachineRecord, parseMachineRecord } from "@box/vm";
import { describe, expect, test } from "vitest";

const record: MachineRecord = {
  version: 1,
  engine: "in-process",
  id: "1".repeat(32),
  boxId: "2".repeat(32),
  process: processIdentity(),
  directory: "/run/box",
  sockets: { agent: "/run/box/agent.sock" },
  startedMs: 1,
  lifetime: "detached",
  details: { version: "9" },
};

describe("parseMachineRecord", () => {
  test("gives back what JSON made of a record, and leaves out what it does not know", () => {
    const text = JSON.stringify({ ...record, later: true });
    expect(parseMachineRecord(JSON.parse(text))).toEqual(record);
  });

  test.each([
    ["the record", null],
    ["the record", []],
    ["the record", "text"],
    ["version", { ...record, version: 2 }],
    ["engine", { ...record, engine: 1 }],
    ["id", { ...record, id: undefined }],
    ["boxId", { ...record, boxId: null }],
    ["process", { ...record, process: [] }],
    ["process.pid", { ...record, process: { ...record.process, pid: 0 } }],
    ["process.pid", { ...record, process: { ...record.process, pid: -5 } }],
    ["process.pid", { ...record, process: { ...record.process, pid: "1" } }],
    ["startTime", { ...record, process: { ...record.process, startTime: 1 } }],
    ["bootId", { ...record, process: { ...record.process, bootId: 1 } }],
    ["directory", { ...record, directory: {} }],
    ["sockets", { ...record, sockets: "x" }],
    ["agent", { ...record, sockets: { agent: 1 } }],
    ["startedMs", { ...record, startedMs: "1" }],
    ["lifetime", { ...record, lifetime: "for ever" }],
    ["details", { ...record, details: null }],
  ])("refuses a damaged %s", (field, value) => {
    expect(() => parseMachineRecord(value)).toThrow(
      expect.objectContaining({
        code: "VM_RECORD_INVALID",
        kind: "corrupt",
        details: { field },
      }),
    );
  });
});

test("a machine is alive while its process is, and not after the host was started again", () => {
  expect(isMachineAlive(record)).toBe(true);
  expect(isOfEarlierBoot(record)).toBe(false);
  const earlier = { process: { ...record.process, bootId: "another" } };
  expect(isMachineAlive(earlier)).toBe(false);
  expect(isOfEarlierBoot(earlier)).toBe(true);
});
