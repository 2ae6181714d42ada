import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import type { BootFiles } from "@box/guest/boot";
import { AgentHost } from "./agent-host.ts";

/** A disk of a machine. */
export interface DiskFile {
  readonly path: string;
  readonly serial: string;
}

/** A virtual machine under software emulation, with the agent in it. */
export class TestMachine extends AgentHost implements AsyncDisposable {
  readonly folder: string;
  readonly exited: Promise<number | null>;
  readonly #child: ChildProcess;

  private constructor(folder: string, child: ChildProcess, socket: Socket) {
    super(socket);
    this.folder = folder;
    this.#child = child;
    this.exited = new Promise((resolve) => child.on("exit", (code) => resolve(code)));
  }

  /** Another host that connects in place of this one. */
  async reconnect(): Promise<AgentHost> {
    this.hangUp();
    return new AgentHost(await connectTo(join(this.folder, "agent.sock"), this.#child));
  }

  /** What the guest printed. */
  get console(): string {
    return readFileSync(join(this.folder, "console.log"), "utf8");
  }

  static async start(
    boot: BootFiles,
    disks: readonly DiskFile[],
    memoryMiB = 128,
  ): Promise<TestMachine> {
    const folder = mkdtempSync(join(tmpdir(), "box-vm-"));
    const socketPath = join(folder, "agent.sock");
    const drives = disks.flatMap(({ path, serial }, index) => [
      ...["-drive", `if=none,id=d${index},file=${path},format=raw`],
      ...["-device", `virtio-blk-pci,drive=d${index},serial=${serial}`],
    ]);
    const append =
      "console=ttyS0 quiet loglevel=3 panic=-1 reboot=t random.trust_cpu=on mitigations=off";
    const args = [
      ...["-M", "q35", "-accel", "tcg", "-cpu", "max", "-m", `${memoryMiB}`, "-smp", "1"],
      ...["-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"],
      ...["-kernel", boot.kernel, "-initrd", boot.initrd, "-append", append],
      ...["-serial", `file:${join(folder, "console.log")}`, "-device", "virtio-serial-pci"],
      ...["-chardev", `socket,id=ag,path=${socketPath},server=on,wait=off`],
      ...["-device", "virtserialport,chardev=ag,name=box.agent", ...drives],
    ];
    const child = spawn("qemu-system-x86_64", args, { stdio: ["ignore", "ignore", "inherit"] });
    const socket = await connectTo(socketPath, child);
    return new TestMachine(folder, child, socket);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.exited;
    rmSync(this.folder, { recursive: true, force: true });
  }
}

async function connectTo(path: string, child: ChildProcess): Promise<Socket> {
  for (;;) {
    if (child.exitCode !== null) throw new Error(`QEMU ended with ${child.exitCode}`);
    const socket = connect(path);
    const isOpen = await new Promise<boolean>((resolve) => {
      socket.once("connect", () => resolve(true));
      socket.once("error", () => resolve(false));
    });
    if (isOpen) return socket;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** Makes an ext4 disk from a folder. */
export function makeDisk(
  path: string,
  tree: string,
  sizeMiB: number,
  blocks: number = sizeMiB,
): void {
  writeFileSync(path, "");
  truncateSync(path, sizeMiB * 1024 * 1024);
  execFileSync("mke2fs", ["-q", "-t", "ext4", "-d", tree, "-b", "4096", path, `${blocks}M`], {
    stdio: "ignore",
  });
}

/** Copies programs of this machine, and the libraries that they need, into a tree. */
export function copyPrograms(tree: string, programs: readonly string[]): void {
  const copy = (path: string): void => {
    mkdirSync(join(tree, dirname(path)), { recursive: true });
    copyFileSync(path, join(tree, path));
  };
  for (const program of programs) {
    const path = execFileSync("/bin/sh", ["-c", `command -v ${program}`], {
      encoding: "utf8",
    }).trim();
    copy(path);
    const libraries = execFileSync("ldd", [path], { encoding: "utf8" });
    for (const [, library] of libraries.matchAll(/(\/\S+) \(0x/g)) {
      if (library !== undefined) copy(library);
    }
  }
}
