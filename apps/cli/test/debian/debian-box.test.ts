import { mkdir, readFile, readlink, rm, stat, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { join } from "node:path";
import { Readable } from "node:stream";
import { setTimeout as delay } from "node:timers/promises";
import { findKernel } from "@box/guest/boot";
import { writeSampleLayout } from "@box/sample-image";
import { findDebianImage, run } from "@box/test-support";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type SpawnedRun, spawnBox } from "../support/spawn-box.ts";

const cache = join(import.meta.dirname, "../../../../.cache");
const folder = join(cache, `debian-box-${process.pid}`);
const home = join(folder, "home");
const debian = await findDebianImage();
if (debian === undefined) process.stderr.write("skipping: npm test makes the image, as root\n");
const diskBytes = 2 ** 30;
let env: Record<string, string> = {};
let image = "";

/** Runs box to its end. */
async function box(argv: readonly string[], stdin?: string): Promise<SpawnedRun> {
  const input = stdin === undefined ? {} : { stdin: Readable.from([stdin]) };
  return spawnBox(["--home", home, ...argv], { cwd: folder, env, ...input });
}

/** What a shell of the box prints; anything but success fails the test. */
async function sh(script: string, ...flags: string[]): Promise<string> {
  const ran = await box(["exec", ...flags, "web", "--", "/bin/sh", "-c", script]);
  expect(ran.stderr).toBe("");
  expect(ran.exitCode).toBe(0);
  return ran.stdout;
}

beforeAll(async () => {
  if (debian === undefined) return;
  await mkdir(folder, { recursive: true });
  const { layout, tag } = debian;
  const { image: kernel } = await findKernel({ roots: [join(cache, "kernel"), "/"] });
  env = { XDG_CACHE_HOME: join(cache, "cli"), BOX_ACCEL: "tcg", BOX_KERNEL: kernel };
  image = `oci:${layout}:${tag}`;
  const size = ["--disk-size", "1GiB"];
  const made = await box(["create", image, "--name", "web", ...size]);
  expect(made.exitCode).toBe(0);
  expect((await box(["start", "web"])).exitCode).toBe(0);
}, 1_200_000);

afterAll(async () => {
  if (debian === undefined) return;
  await box(["stop", "web", "--grace", "0"]);
  await rm(folder, { recursive: true, force: true });
});

describe.skipIf(debian === undefined)("a box of Debian", () => {
  test("runs its programs with their outputs apart and exact exit codes", async () => {
    const script = "cat /etc/os-release; echo told >&2; exit 7";
    const ran = await box(["exec", "web", "--", "sh", "-c", script]);
    expect(ran.stdout).toContain("ID=debian");
    expect([ran.stderr, ran.exitCode]).toEqual(["told\n", 7]);
    expect((await box(["exec", "web", "--", "sh", "-c", "kill -TERM $$"])).exitCode).toBe(143);
    expect((await box(["exec", "web", "--", "no-such-program"])).exitCode).toBe(127);
    expect((await box(["exec", "web", "--", "/etc/passwd"])).exitCode).toBe(126);
    expect((await box(["exec", "-u", "no-such-user", "web", "--", "true"])).exitCode).toBe(125);
  });

  test("has users, folders, variables and a name of its own, and the host's time", async () => {
    const who = "id -un; id -gn; pwd; echo $A $HOME; hostname";
    const told = await sh(who, "-u", "nobody", "-w", "/tmp", "-e", "A=b");
    expect(told.split("\n")).toEqual(["nobody", "nogroup", "/tmp", "b /nonexistent", "web", ""]);
    // Neither name is in the image.
    const names = "echo $HOSTNAME; cat /etc/hostname; getent hosts web localhost";
    expect(await sh(names)).toMatch(/^web\nweb\n127\.0\.0\.1 +localhost web\n::1 +localhost .*\n$/);
    await sh("test -d /run/lock && ! mountpoint -q /run");
    const seconds = Number(await sh("date +%s"));
    expect(Math.abs(seconds - Date.now() / 1000)).toBeLessThan(60);
    // What programs of a distribution expect to be there.
    await sh("test -c /dev/null -a -d /proc/1 -a -d /sys/block -a -w /dev/shm -a -e /dev/fd/0");
  });

  test("reads what is piped in, byte for byte", async () => {
    const sent = "0123456789abcdef".repeat(65_536);
    const ran = await box(["exec", "-i", "web", "--", "sha256sum"], sent);
    const { createHash } = await import("node:crypto");
    expect(ran.stdout).toBe(`${createHash("sha256").update(sent).digest("hex")}  -\n`);
  });

  test("has a file system as large as its disk, and packages can be worked with", async () => {
    const [, size] = (await sh("df --output=size -B1 /")).trim().split("\n");
    expect(Number(size)).toBeGreaterThan(0.9 * diskBytes);
    expect(Number(size)).toBeLessThanOrEqual(diskBytes);
    const listed = JSON.parse((await box(["stats", "web", "--format", "json"])).stdout);
    expect(listed[0].guest.diskBytes).toBe(Number(size));
    expect(await sh("dpkg --audit; dpkg-query --list nano | tail -1 | cut -c1-8")).toBe(
      "ii  nano\n",
    );
    await sh("head -c 300M /dev/zero > /var/large && rm /var/large");
  });

  test("gives folders out and takes them in, with links, modes and times", async () => {
    expect(await box(["cp", "web:/etc", "."])).toMatchObject({ exitCode: 0, stderr: "" });
    const at = (path: string) => join(folder, "etc", path);
    expect((await stat(at("shadow"))).mode & 0o777).toBe(0o640);
    expect(await readlink(at("os-release"))).toBe("../usr/lib/os-release");
    expect((await stat(at("passwd"))).mtimeMs / 1000).toBeCloseTo(
      Number(await sh("stat -c %Y /etc/passwd")),
      0,
    );
    await writeFile(at("added"), "added");
    expect(await box(["cp", "etc", "web:/srv/copied"])).toMatchObject({ exitCode: 0 });
    const same = "diff -r --no-dereference -x added /etc /srv/copied && cat /srv/copied/added";
    expect(await sh(same)).toBe("added");
    const pack =
      "mkdir /srv/h && cd /srv/h && echo x > a && ln a b && ln -s a c && tar cf /srv/h.tar .";
    await sh(pack);
    expect((await box(["cp", "web:/srv/h.tar", "."])).exitCode).toBe(0);
    const tar = await readFile(join(folder, "h.tar"), "latin1");
    await sh("mkdir /srv/i");
    expect(await box(["cp", "-", "web:/srv/i"], tar)).toMatchObject({ exitCode: 0, stderr: "" });
    expect(await sh("cd /srv/i && stat -c %h a b && readlink c")).toBe("2\n2\na\n");
  });

  test("answers on ports of the host", async () => {
    const serve =
      "use Socket; socket(S,PF_INET,SOCK_STREAM,0); setsockopt(S,SOL_SOCKET,SO_REUSEADDR,1);" +
      "bind(S,sockaddr_in(80,INADDR_LOOPBACK)); listen(S,9); print qq(up\\n); close STDOUT;" +
      "while(accept(C,S)){local $/; my $all=<C>; print C length($all),' bytes'; close C}";
    const server = box(["exec", "web", "--", "perl", "-e", serve]);
    const listed = await box(["port", "web", "-p", "80", "--format", "json"]);
    const [{ hostPort }] = JSON.parse(listed.stdout);
    await expect.poll(() => ask(hostPort), { timeout: 60_000 }).toBe("100000 bytes");
    await sh("kill $(cat /proc/[0-9]*/stat | awk '$2==\"(perl)\" {print $1}')");
    expect((await server).exitCode).toBe(143);
  });

  test("keeps what was synced when QEMU is killed, and both disks are sound", async () => {
    await sh("echo kept > /root/marker && sync");
    const inspect = async () =>
      JSON.parse((await box(["inspect", "web", "--format", "json"])).stdout);
    const { machine, disks } = await inspect();
    process.kill(machine.process.pid, "SIGKILL");
    await expect.poll(async () => (await inspect()).state, { timeout: 60_000 }).toBe("stopped");
    expect((await box(["start", "web"])).exitCode).toBe(0);
    expect(await sh("cat /root/marker")).toBe("kept\n");
    expect(await box(["stop", "web", "--format", "json"])).toMatchObject({ exitCode: 0 });
    for (const { path } of [disks.user, disks.guest]) {
      await run("qemu-img", ["check", "-f", "qcow2", path]);
      const raw = join(folder, "disk.raw");
      await run("qemu-img", ["convert", "-f", "qcow2", "-O", "raw", path, raw]);
      await run("e2fsck", ["-fn", raw]);
      await rm(raw);
    }
  });
});

test.skipIf(debian === undefined)("Debian is the system that boots for another image", async () => {
  const layout = join(folder, "sample");
  await writeSampleLayout(layout, "latest");
  const flags = ["--rm", "--guest-rootfs", image];
  const ran = await box(["run", ...flags, `oci:${layout}:latest`]);
  expect(ran.stdout).toMatch(/^hello from box, running on Linux \S+\n$/);
  expect(ran.exitCode).toBe(0);
});

/** Sends a lot to a port and reads the answer; empty when nobody answers. */
async function ask(port: number): Promise<string> {
  const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
  let text = "";
  try {
    socket.end(Buffer.alloc(100_000));
    for await (const chunk of socket) text += String(chunk);
  } catch {
    await delay(100);
  }
  return text;
}
