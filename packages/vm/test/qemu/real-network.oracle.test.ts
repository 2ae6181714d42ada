import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import { type AddressInfo, createServer } from "node:net";
import type { Machine, MachineEvent, MachineSpec } from "@box/vm";
import { afterAll, describe, expect, onTestFinished, test } from "vitest";
import { bootFilesOfTests } from "./real-boot.ts";
import { writeBoxDisk } from "./real-disks.ts";
import { openRealHost, type RealHost } from "./real-subject.ts";

const host = await openRealHost(await bootFilesOfTests());
afterAll(async () => host?.[Symbol.asyncDispose]());
const timeout = 120_000;
const unreachable = 101;
const hosts = "127.0.0.1\tlocalhost web\n::1\tlocalhost ip6-localhost ip6-loopback\n";
const pathOfDisk = ({ disks }: MachineSpec) =>
  disks.find(({ role }) => role === "user")?.path ?? "";

interface Booted {
  readonly machine: Machine;
  readonly warnings: readonly string[];
}

async function boot({ engine }: RealHost, spec: MachineSpec): Promise<Booted> {
  const warnings: string[] = [];
  const onEvent = (event: MachineEvent) => {
    if (event.type === "warning") warnings.push(event.message);
  };
  const machine = await engine.spawn(spec, { onEvent });
  onTestFinished(async () => {
    await machine.stop({ graceMs: 0 });
    await machine.close();
  });
  await machine.connect();
  await machine.initialize({ hostname: "web" });
  return { machine, warnings };
}

async function run(machine: Machine, ...words: string[]): Promise<[number, string]> {
  const running = await machine.exec({ command: ["/bin/contract", ...words] });
  let text = "";
  for await (const chunk of running.stdout) text += new TextDecoder().decode(chunk);
  return [(await running.wait()).exitCode, text];
}

/** A server on the loopback of this host that sends back what it gets, with a word before it. */
async function listen(): Promise<string> {
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    socket.write("host: ");
    socket.pipe(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => void server.close());
  return String((server.address() as AddressInfo).port);
}

const title = "the network of a real machine";
describe.skipIf(host === undefined)(host ? title : `${title} (skipped: no QEMU or kernel)`, () => {
  const real = host as RealHost;

  const withDisk = async (
    strategy: MachineSpec["guestRootfs"],
    resolver: "none" | "file" | "link",
    network: MachineSpec["network"],
  ): Promise<MachineSpec> => {
    const spec = await real.spec(strategy);
    const path = pathOfDisk(spec);
    await rm(path);
    await writeBoxDisk(path, real.program, resolver);
    return { ...spec, network };
  };
  const withoutNetwork = (spec: MachineSpec): MachineSpec => ({
    ...spec,
    id: "f".repeat(32),
    network: "none",
  });

  test("leads a box to its host, in QEMU's sandbox, and only a box that was given it", {
    timeout,
  }, async () => {
    const port = await listen();
    const spec = await withDisk("disk", "file", "user");
    const { machine, warnings } = await boot(real, spec);
    expect(await run(machine, "dial", "10.0.2.2", port, "hello")).toEqual([0, "host: hello"]);
    expect(await run(machine, "show", "/etc/resolv.conf")).toEqual([0, "nameserver 10.0.2.3\n"]);
    // The whole world behind the gateway 10.0.2.2.
    const [, routes] = await run(machine, "show", "/proc/net/route");
    expect(routes).toMatch(/^eth0\t00000000\t0202000A\t0003\t/m);
    expect(await run(machine, "show", "/etc/hosts")).toEqual([0, hosts]);
    expect(await run(machine, "show", "/etc/hostname")).toEqual([0, "web\n"]);
    expect(await run(machine, "save", "/etc/hosts", "changed")).toEqual([0, ""]);
    const status = readFileSync(`/proc/${machine.record.process.pid}/status`, "utf8");
    expect(status).toMatch(/^Seccomp:\t2$/m);
    expect(warnings).toEqual([]);
    await machine.stop();
    const without = await boot(real, withoutNetwork(spec));
    expect(await run(without.machine, "dial", "10.0.2.2", port, "x")).toEqual([unreachable, ""]);
    expect(await run(without.machine, "show", "/etc/resolv.conf")).toEqual([0, "of the image\n"]);
    // What is laid over is new with each start, and the disk never has it.
    expect(await run(without.machine, "show", "/etc/hosts")).toEqual([0, hosts]);
    expect(await run(without.machine, "show", "/run/kept")).toEqual([0, "of the image\n"]);
    await without.machine.stop();
    const of = (name: string) =>
      execFileSync("debugfs", ["-R", `cat /etc/${name}`, pathOfDisk(spec)], {
        stdio: ["ignore", "pipe", "ignore"],
        encoding: "utf8",
      });
    expect(["hosts", "hostname", "resolv.conf"].map(of)).toEqual(Array(3).fill("of the image\n"));
  });

  test("lays its name servers over a link too, and leaves that in the image", {
    timeout,
  }, async () => {
    const spec = await withDisk("initramfs", "link", "user");
    const { machine, warnings } = await boot(real, spec);
    expect(await run(machine, "show", "/etc/resolv.conf")).toEqual([0, "nameserver 10.0.2.3\n"]);
    expect(warnings).toEqual([]);
    await machine.stop();
    const without = await boot(real, withoutNetwork(spec));
    expect(await run(without.machine, "link", "/etc/resolv.conf")).toEqual([
      0,
      "../run/systemd/resolve/stub-resolv.conf",
    ]);
  });

  test("goes on with a warning where an image has no place for its names, and its /run is memory", {
    timeout,
  }, async () => {
    const spec = await withDisk("initramfs", "none", "user");
    const disks = spec.disks.map((disk) => ({ ...disk, readOnly: true }));
    const { machine, warnings } = await boot(real, { ...spec, disks });
    for (const name of ["hosts", "hostname", "resolv.conf"]) {
      expect(warnings).toContainEqual(expect.stringContaining(`"${name}"`));
    }
    expect(await run(machine, "save", "/run/kept", "anew")).toEqual([0, ""]);
    const port = await listen();
    expect(await run(machine, "dial", "10.0.2.2", port, "x")).toEqual([0, "host: x"]);
    await machine.stop();
    const { machine: writable } = await boot(real, { ...spec, id: "f".repeat(32) });
    expect(await run(writable, "show", "/etc/resolv.conf")).toEqual([0, "nameserver 10.0.2.3\n"]);
    expect(await run(writable, "show", "/etc/hosts")).toEqual([0, hosts]);
    expect(await run(writable, "show", "/run/kept")).toEqual([0, "of the image\n"]);
  });
});
