import { chmod, copyFile, mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { hasTool } from "@box/test-support";
import { describe, expect, test } from "vitest";
import { createTestHome } from "../support/boxed-home.ts";

const cache = join(import.meta.dirname, "../../../../.cache");
const isRoot = process.getuid?.() === 0;
const isReady = isRoot && hasTool("qemu-system-x86_64") && (await hasKernel());
const timeout = 60_000;

async function hasKernel(): Promise<boolean> {
  return realKernel().then(
    () => true,
    () => false,
  );
}

async function realKernel() {
  const { findKernel } = await import("@box/guest/boot");
  return findKernel({ roots: [join(cache, "kernel"), "/"] });
}

/** Hides the kernels that the machine boots. */
const withoutBoot = [
  ...["/usr/bin/unshare", "--mount", "/bin/sh", "-c"],
  ...['/bin/mount -t tmpfs none /boot && exec "$@"', "sh"],
];

/** A machine that has nothing but an apt that lays down links to what this machine has. */
async function bareMachine(apt: { readonly fails?: boolean } = {}) {
  const { box, folder } = await createTestHome();
  const bin = join(folder, "bin");
  const log = join(folder, "apt.log");
  await mkdir(bin);
  const { image, release, modulesDirectory } = await realKernel();
  const kernel = join(folder, `vmlinuz-${release}`);
  await copyFile(image, kernel);
  const program = async (name: string, body: string) => {
    await writeFile(join(bin, name), `#!/bin/sh\n${body}\n`);
    await chmod(join(bin, name), 0o755);
  };
  const lay = (name: string) =>
    `printf '#!/bin/sh\\nPATH=%s exec %s "$@"\\n' '${process.env["PATH"]}' ${name} > ${bin}/${name}; /bin/chmod +x ${bin}/${name}`;
  await program(
    "apt-get",
    `echo "$@" >> ${log}
case "$*" in
*download*) : > kernel.deb ;;
*install*) ${apt.fails ? "echo E: no such package >&2; exit 100" : `${lay("qemu-system-x86_64")}; ${lay("musl-gcc")}`} ;;
esac`,
  );
  await program("apt-cache", `echo '  Depends: linux-image-${release}'`);
  await program(
    "dpkg-deb",
    `/bin/mkdir -p "$3/boot" "$3/lib/modules"; /bin/cp ${kernel} "$3/boot/"; /bin/cp -r ${modulesDirectory} "$3/lib/modules/${release}"`,
  );
  const env = { PATH: bin, XDG_CACHE_HOME: join(folder, "cache"), BOX_ACCEL: "tcg" };
  return {
    box: (...argv: string[]) => box(argv, { env, under: withoutBoot }),
    asked: () => readFile(log, "utf8").catch(() => ""),
  };
}

const title = "box setup on a bare machine";
describe.skipIf(!isReady)(isReady ? title : `${title} (skipped: no root, QEMU or kernel)`, () => {
  test("says what is missing, and changes nothing", { timeout }, async () => {
    const { box, asked } = await bareMachine();
    const { stdout, exitCode } = await box("setup", "--dry-run");
    // What compiles the agent is needed where none was published with box.
    expect(stdout).toMatch(
      /: run apt-get install --yes --no-install-recommends qemu-system-x86( musl-tools)?\n/,
    );
    expect(stdout).toContain("todo a kernel for machines: run box setup\n");
    expect(stdout).toContain("boxes cannot be started");
    expect(exitCode).toBe(9);
    expect(await asked()).toBe("");
  });

  test("brings it, once", { timeout }, async () => {
    const { box, asked } = await bareMachine();
    const first = await box("setup");
    expect(first.stdout).toMatch(
      /^done qemu-system-x86(, musl-tools)?\ndone a kernel for machines\n/,
    );
    expect(first.stdout).toContain("boxes can be started\n");
    expect(first.exitCode).toBe(0);
    const once = await asked();
    expect(once.trim().split("\n")).toHaveLength(3);
    const again = await box("setup", "--format", "json");
    expect(JSON.parse(again.stdout)).toMatchObject({ steps: [], doctor: { canStart: true } });
    expect(await asked()).toBe(once);
  });

  test("says why apt fails, and brings the rest", { timeout }, async () => {
    const { box } = await bareMachine({ fails: true });
    const { stdout, exitCode } = await box("setup");
    expect(stdout).toMatch(/^fail qemu-system-x86/);
    expect(stdout).toContain("E: no such package");
    expect(stdout).toContain("done a kernel for machines\n");
    expect(exitCode).toBe(9);
  });
});
