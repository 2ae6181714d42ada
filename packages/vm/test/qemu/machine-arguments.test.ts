import type { MachineDisk } from "@box/vm";
import { kernelCommandLine, type MachineArgumentsOptions, machineArguments } from "@box/vm/qemu";
import { describe, expect, test } from "vitest";
import { restoreArguments } from "../../src/qemu/machine-arguments.ts";

const options: MachineArgumentsOptions = {
  spec: {
    name: "web",
    memoryMiB: 256,
    cpus: 2,
    disks: [
      { role: "user", path: "/b/d.qcow2", format: "qcow2", readOnly: false, serial: "box-root" },
      { role: "guest", path: "/b/g.ext4", format: "raw", readOnly: true, serial: "guest-root" },
    ],
  },
  boot: { kernel: "/k/vmlinux", initrd: "/k/initrd" },
  accelerator: "tcg",
  descriptors: { qmp: 3, agent: 4, console: 5 },
  isSandboxed: true,
};

/** Every value that stands behind a flag. */
function valuesOf(flag: string, words: readonly string[]): readonly string[] {
  return words.flatMap((word, index) => (word === flag ? [words[index + 1] ?? ""] : []));
}

describe("the words that start a machine", () => {
  const words = machineArguments(options);

  test("bring nothing that was not asked for", () => {
    expect(words).toEqual(expect.arrayContaining(["-nodefaults", "-no-user-config", "-no-reboot"]));
    expect(valuesOf("-display", words)).toEqual(["none"]);
    expect(words.some((word) => /netdev|-nic|-drive|-hda|file:/.test(word))).toBe(false);
  });

  test("say nothing that a guest could tell boxes apart by, before its disks", () => {
    const other = machineArguments({ ...options, spec: { ...options.spec, name: "db" } });
    expect(other.map((word) => word.replace("guest=db", "guest=web"))).toEqual(words);
    expect(words).not.toContain("-uuid");
  });

  test("have the agent's port first, where the agent looks for it", () => {
    const [controller, port] = valuesOf("-device", words).map((text) => JSON.parse(text));
    expect(controller).toMatchObject({ driver: "virtio-serial-pci" });
    expect(port).toMatchObject({ driver: "virtserialport", nr: 1, name: "box.agent" });
  });

  test("go on from a saved state with the same devices, and boot nothing", () => {
    const restored = restoreArguments(options, 6);
    const rest = words.filter((word) => !restored.includes(word));
    const append = kernelCommandLine("tcg");
    expect(rest).toEqual(["-kernel", "/k/vmlinux", "-initrd", "/k/initrd", "-append", append]);
    expect(restored.slice(-3)).toEqual(["-S", "-incoming", "fd:6"]);
  });

  test("state memory, processors, kernel and accelerator", () => {
    expect(valuesOf("-m", words)).toEqual(["size=256M"]);
    expect(valuesOf("-smp", words)).toEqual(["cpus=2"]);
    expect(valuesOf("-kernel", words)).toEqual(["/k/vmlinux"]);
    expect(valuesOf("-initrd", words)).toEqual(["/k/initrd"]);
    expect(valuesOf("-accel", words)).toEqual(["tcg"]);
    expect(valuesOf("-cpu", words)).toEqual(["max,erms=off"]);
    const fast = machineArguments({ ...options, accelerator: "kvm" });
    expect(valuesOf("-accel", fast)).toEqual(["kvm"]);
    expect(valuesOf("-cpu", fast)).toEqual(["host"]);
  });

  test("state the format of each disk and of what it lies in, and its serial number", () => {
    expect(valuesOf("-blockdev", words).map((text) => JSON.parse(text))).toEqual([
      {
        driver: "qcow2",
        "node-name": "disk0",
        "read-only": false,
        discard: "unmap",
        file: { driver: "file", filename: "/b/d.qcow2", "read-only": false, discard: "unmap" },
      },
      {
        driver: "raw",
        "node-name": "disk1",
        "read-only": true,
        discard: "unmap",
        file: { driver: "file", filename: "/b/g.ext4", "read-only": true, discard: "unmap" },
      },
    ]);
    const devices = valuesOf("-device", words).map((text) => JSON.parse(text));
    expect(devices).toContainEqual({
      driver: "virtio-blk-pci",
      drive: "disk0",
      serial: "box-root",
    });
    expect(devices).toContainEqual({
      driver: "virtio-blk-pci",
      drive: "disk1",
      serial: "guest-root",
    });
  });

  test("name the backing file of an image, and say where there is none", () => {
    const disk = { ...options.spec.disks[0], serial: "box-root" } as MachineDisk;
    const backings = [{ path: "/b/base.ext4", format: "raw" } as const, null, undefined];
    const nodes = backings.map((backing) => {
      const spec = { ...options.spec, disks: [{ ...disk, backing }] };
      return JSON.parse(valuesOf("-blockdev", machineArguments({ ...options, spec }))[0] ?? "");
    });
    expect(nodes[0].backing).toEqual({
      driver: "raw",
      "read-only": true,
      file: { driver: "file", filename: "/b/base.ext4", "read-only": true },
    });
    expect(nodes[1].backing).toBeNull();
    expect(nodes[2]).not.toHaveProperty("backing");
  });

  test("keep a path or a name with any characters in one value", () => {
    const path = '/a,b/"c\\d\n,format=raw';
    const odd = machineArguments({
      ...options,
      spec: {
        ...options.spec,
        name: "a,process=b",
        disks: [{ role: "user", path, format: "raw", readOnly: false, serial: "box-root" }],
      },
    });
    const [node] = valuesOf("-blockdev", odd).map((text) => JSON.parse(text));
    expect(node.file.filename).toBe(path);
    expect(valuesOf("-name", odd)).toEqual(["guest=a,,process=b"]);
  });

  test("give a card only to whom it is asked for, which nobody reaches from outside", () => {
    expect(words.join(" ")).not.toMatch(/net0/);
    const spec = { ...options.spec, network: "user" } as const;
    const asked = machineArguments({ ...options, spec });
    expect(valuesOf("-netdev", asked)).toEqual(["user,id=net0,ipv4=on,ipv6=off,restrict=off"]);
    const devices = valuesOf("-device", asked).map((text) => JSON.parse(text));
    expect(devices).toContainEqual({ driver: "virtio-net-pci", netdev: "net0", romfile: "" });
    expect(valuesOf("-sandbox", asked)).toEqual(valuesOf("-sandbox", words));
  });

  test("reach the machine by open sockets only", () => {
    expect(valuesOf("-chardev", words)).toEqual([
      "socket,id=qmp,fd=3",
      "socket,id=console,fd=5",
      "socket,id=agent,fd=4",
    ]);
  });

  test("deny QEMU what it does not need, where that can be done", () => {
    expect(valuesOf("-sandbox", words)[0]).toMatch(/^on,.*spawn=deny/);
    expect(machineArguments({ ...options, isSandboxed: false })).not.toContain("-sandbox");
  });
});

test("only an emulated kernel goes without guards against speculation", () => {
  expect(kernelCommandLine("tcg")).toContain("cryptomgr.notests=1");
  expect(kernelCommandLine("tcg")).toContain("mitigations=off");
  expect(kernelCommandLine("kvm")).not.toContain("mitigations");
  expect(kernelCommandLine("kvm")).toContain("panic=-1");
});
