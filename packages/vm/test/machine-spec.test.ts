import { checkMachineSpec, diskSerials, type MachineSpec } from "@box/vm";
import { expect, test } from "vitest";
import { makeSpec } from "./subject.ts";

const guest = {
  role: "guest",
  path: "/guest.qcow2",
  format: "qcow2",
  readOnly: false,
  serial: diskSerials.guest,
} as const;

test("takes what an engine can start", async () => {
  const spec = await makeSpec();
  expect(() => checkMachineSpec(spec)).not.toThrow();
  const withGuest = { ...spec, guestRootfs: "disk", disks: [...spec.disks, guest] } as const;
  expect(() => checkMachineSpec(withGuest)).not.toThrow();
});

const user = { ...guest, role: "user", serial: diskSerials.user } as const;

test.each<[string, Partial<MachineSpec>]>([
  ["id", { id: "A".repeat(32) }],
  ["id", { id: `${"0".repeat(32)}\n` }],
  ["boxId", { boxId: "../../etc" }],
  ["directory", { directory: "run" }],
  ["logDirectory", { logDirectory: "/a\0b" }],
  ["network", { network: "bridge" as "user" }],
  ["memoryMiB", { memoryMiB: 63 }],
  ["memoryMiB", { memoryMiB: 128.5 }],
  ["memoryMiB", { memoryMiB: 1_048_577 }],
  ["cpus", { cpus: 0 }],
  ["cpus", { cpus: Number.NaN }],
  ["cpus", { cpus: 257 }],
  ["disks.path", { disks: [{ ...user, path: "disk.qcow2" }] }],
  ["disks.backing", { disks: [{ ...user, backing: { path: "base", format: "raw" } }] }],
  [
    "disks.backing",
    { disks: [{ ...user, format: "raw", backing: { path: "/b", format: "raw" } }] },
  ],
  ["disks.serial", { disks: [{ ...user, serial: "" }] }],
  ["disks.serial", { disks: [{ ...user, serial: "a,b" }] }],
  ["disks.serial", { disks: [{ ...user, serial: "a".repeat(21) }] }],
  ["disks.serial", { disks: [user, { ...guest, serial: user.serial }], guestRootfs: "disk" }],
  ["disks", { disks: [] }],
  ["disks", { disks: [user, { ...user, serial: "another" }] }],
  ["disks", { disks: [user], guestRootfs: "disk" }],
  ["disks", { disks: [user, guest], guestRootfs: "initramfs" }],
])("refuses %s as in %j", async (field, wrong) => {
  const spec = { ...(await makeSpec()), ...wrong };
  expect(() => checkMachineSpec(spec)).toThrow(
    expect.objectContaining({
      code: "VM_SPEC_INVALID",
      kind: "invalid-argument",
      details: expect.objectContaining({ field }),
      hint: expect.any(String),
    }),
  );
});
