import { execFileSync } from "node:child_process";
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type BootFiles, ensureBootFiles, findKernel, type KernelFiles } from "@box/guest/boot";
import { encodeHostMessage } from "@box/guest/protocol";
import { hasTool } from "@box/test-support";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { mountDisks, userOf } from "../support/agent-calls.ts";
import { agentPath } from "../support/agent-process.ts";
import { copyPrograms, makeDisk, TestMachine } from "../support/machine.ts";

const cache = join(import.meta.dirname, "../../../../.cache");
const kernel = await kernelOfTests();
const isReady = hasTool("qemu-system-x86_64") && hasTool("mke2fs") && kernel !== undefined;

/** The kernel that the oracles bring; its absence skips what needs it. */
async function kernelOfTests(): Promise<KernelFiles | undefined> {
  return findKernel({ roots: [join(cache, "kernel"), "/"] }).catch(() => {
    process.stderr.write("skipping: there is no kernel to boot\n");
    return undefined;
  });
}

describe.skipIf(!isReady)("in a virtual machine", () => {
  let folder = "";
  let boot: BootFiles;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "box-machine-"));
    if (kernel === undefined) return;
    boot = await ensureBootFiles({
      cacheDirectory: join(cache, "boot"),
      kernel,
      agent: await agentPath(),
    });
    const tree = join(folder, "tree");
    mkdirSync(join(tree, "etc"), { recursive: true });
    // A link in place of a folder that is mounted on: nothing outside of the box may come to harm.
    execFileSync("ln", ["-s", "/../../../etc", join(tree, "sys")]);
    writeFileSync(
      join(tree, "etc/passwd"),
      "root:x:0:0::/root:/bin/sh\nme:x:1000:1001::/home/me:\n",
    );
    writeFileSync(join(tree, "etc/group"), "me:x:1001:\nvideo:x:44:you,me\n");
    copyPrograms(tree, [
      "sh",
      "cat",
      "id",
      "df",
      "hostname",
      "date",
      "stty",
      "tty",
      "head",
      "sleep",
      "readlink",
    ]);
    makeDisk(join(folder, "box.img"), tree, 64, 40);
    makeDisk(join(folder, "guest.img"), mkdtempSync(join(folder, "guest-")), 8);
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  /** Nothing is left in the journal of the box's disk, and e2fsck finds no fault. */
  function expectClean(): void {
    const path = join(folder, "box.img");
    const header = execFileSync("dumpe2fs", ["-h", path], { stdio: ["ignore", "pipe", "ignore"] });
    expect(header.toString()).toMatch(/^Filesystem state: +clean$/m);
    expect(header.toString()).not.toContain("needs_recovery");
    execFileSync("e2fsck", ["-fn", path], { stdio: "ignore" });
  }

  const environment = ["PATH=/usr/bin:/bin"];

  test.each(["initramfs", "disk"] as const)("a box runs commands with %s", async (guestRootfs) => {
    const disks = [{ path: join(folder, "box.img"), serial: "box-root" }];
    if (guestRootfs === "disk")
      disks.push({ path: join(folder, "guest.img"), serial: "guest-root" });
    await using machine = await TestMachine.start(boot, disks.reverse());
    await machine.hello();
    const request = {
      guestRootfs,
      guestSerial: guestRootfs === "disk" ? "guest-root" : "",
      hostname: "my-box",
      grows: true,
      timeNs: 1_900_000_000_000_000_000n,
    };
    expect(await mountDisks(machine, { ...request, boxSerial: "nope" })).toMatchObject({
      failure: "no-disk",
    });
    // The link is not followed: what cannot be mounted there is told.
    expect(await mountDisks(machine, request)).toEqual({ warnings: [{ step: "sys", errno: 40 }] });
    const run = async (script: string) =>
      (await machine.run(["sh", "-c", script], { environment })).out;
    expect(await run("hostname; id -u; date -u +%Y")).toBe("my-box\n0\n2030\n");
    expect(await run("readlink /proc/self/root /dev/fd")).toBe("/\n/proc/self/fd\n");
    const [, sizeKiB] =
      (await run("df -k / | { read x; read a b c; echo $b; }")).match(/^(\d+)/) ?? [];
    expect(Number(sizeKiB)).toBeGreaterThan(50 * 1024);
    const runAs = async (
      command: readonly string[],
      user: string,
      groups: readonly string[] = [],
    ) => {
      const { home, ...ids } = await userOf(machine, user, groups);
      const change = { environment: [...environment, `HOME=${home}`], ...ids };
      return machine.run(command, change);
    };
    expect(await runAs(["id"], "me")).toMatchObject({
      out: "uid=1000(me) gid=1001(me) groups=1001(me),44(video)\n",
    });
    expect((await runAs(["id"], "1000:video")).out).toBe(
      "uid=1000(me) gid=44(video) groups=44(video)\n",
    );
    expect((await runAs(["id"], "7:8", ["me", "9"])).out).toBe("uid=7 gid=8 groups=8,9,1001(me)\n");
    for (const [user, home] of Object.entries({ me: "/home/me", 7: "/" })) {
      expect((await runAs(["sh", "-c", "echo $HOME"], user)).out).toBe(`${home}\n`);
    }
    const terminal = { rows: 33, columns: 99 };
    expect((await machine.run(["stty", "size"], { environment, terminal })).out).toBe("33 99\r\n");
    // The name that programs find is that of the box's own /dev/pts.
    const named = ["sh", "-c", "tty; echo told > $(tty)"];
    expect((await machine.run(named, { environment, terminal })).out).toMatch(
      /^\/dev\/pts\/\d\r\ntold\r\n$/,
    );
    const inGuest = await machine.run(["nope"], { environment, target: "guest" });
    expect(inGuest).toMatchObject({ failure: "not-found" });
    expect(await run(`echo ${guestRootfs} > /marker; sleep 100 & echo`)).toBe("\n");
    expect(await run("ulimit -Sn; ulimit -Hn; cat /proc/sys/kernel/ctrl-alt-del")).toBe(
      "1024\n65536\n0\n",
    );
    machine.send({ type: "shutdown", streamId: machine.newId(), graceMs: 5000 });
    expect(await machine.exited).toBe(0);
    expectClean();
    // Each step of the first and of the last calls was done.
    expect(machine.console).not.toContain("box-agent");
    const marker = execFileSync("debugfs", ["-R", "cat /marker", join(folder, "box.img")], {
      stdio: ["ignore", "pipe", "ignore"],
      encoding: "utf8",
    });
    expect(marker).toBe(`${guestRootfs}\n`);
  });

  test("a box without anything but a program runs it, on a disk that is read-only", async () => {
    const tree = mkdtempSync(join(folder, "scratch-"));
    copyFileSync(await agentPath(), join(tree, "program"));
    makeDisk(join(folder, "scratch.img"), tree, 8);
    await using machine = await TestMachine.start(boot, [
      { path: join(folder, "scratch.img"), serial: "box-root" },
    ]);
    await machine.hello();
    const mounted = await mountDisks(machine, { isReadOnly: true, grows: true });
    // There is nowhere to mount them, and nowhere to make a place.
    const steps = ["sys", "dev", "run", "proc"];
    expect(mounted).toMatchObject({ warnings: steps.map((step) => ({ step })) });
    expect(await machine.run(["/program"])).toMatchObject({
      exitCode: 2,
      err: "usage: agent --test FD; without it, it is the first process of a virtual machine\n",
    });
    const ids = await userOf(machine, "1234:5");
    expect(ids).toEqual({ uid: 1234, gid: 5, groups: [], home: "/" });
    expect(await machine.run(["/program"], ids)).toMatchObject({ exitCode: 2 });
    expect(await machine.run(["program"])).toMatchObject({ failure: "not-found" });
    await expect(userOf(machine, "me")).rejects.toMatchObject({ failure: "no-such-user" });
    const terminal = { rows: 1, columns: 1 };
    expect(await machine.run(["/program"], { terminal })).toMatchObject({ exitCode: 2, err: "" });
  });

  test("a host that comes back begins anew, and one that stays away ends the guest", async () => {
    await using machine = await TestMachine.start(boot, [
      { path: join(folder, "box.img"), serial: "box-root" },
    ]);
    await machine.hello();
    await mountDisks(machine);
    machine.exec(["sh", "-c", "echo up; sleep 300"], { environment });
    await machine.until(({ type }) => type === "out");
    const host = await machine.reconnect();
    await host.hello({ graceMs: 300 });
    // What ran before is gone.
    const script =
      "for f in /proc/[0-9]*/cmdline; do read -r line < $f; echo $line; done 2>/dev/null";
    const { out } = await host.run(["sh", "-c", script], { environment });
    expect(out).toContain("init");
    expect(out).not.toContain("sleep");
    host.hangUp();
    expect(await machine.exited).toBe(0);
    expectClean();
  });

  // A socket tells it by a failed write as well; a port of a machine does not.
  test("a host that goes away while it takes nothing is noticed too", async () => {
    await using machine = await TestMachine.start(boot, [
      { path: join(folder, "box.img"), serial: "box-root" },
    ]);
    await machine.hello({ graceMs: 300 });
    machine.stopReading();
    // More answers than there is room for, so that no more is read.
    const ping = encodeHostMessage({ type: "ping", streamId: 1, bytes: Buffer.alloc(64) });
    machine.sendBytes(Buffer.concat(Array.from({ length: 150_000 }, () => ping)));
    await machine.untilStuck();
    machine.hangUp();
    expect(await machine.exited).toBe(0);
  });
});
