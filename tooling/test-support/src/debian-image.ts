import { cp, mkdir, mkdtemp, readFile, rename, rm } from "node:fs/promises";
import { join, resolve } from "node:path";
import { hasTool, run } from "./oracle-tools.ts";

const repository = resolve(import.meta.dirname, "../../..");
/** Leaf packages and what they need besides the smallest Debian. */
const packages = ["less", "libncursesw6", "nano"];
const tag = "debian";

/**
 * Makes an image of this machine's release of Debian with four layers: the smallest system, three packages more, the
 * documentation taken away, and a folder that was replaced. It is kept in `.cache` and made once.
 *
 * @returns A layout made by umoci, and the image's tag in it.
 */
export async function debianImage(): Promise<{ readonly layout: string; readonly tag: string }> {
  const suite = await debianSuite();
  const folder = join(repository, ".cache", "debian-image");
  const layout = join(folder, suite);
  if (await isThere(join(layout, "index.json"))) return { layout, tag };
  requireMeans();
  await mkdir(folder, { recursive: true });
  const work = await mkdtemp(join(folder, "new-"));
  try {
    await build(suite, work);
    await rename(join(work, "layout"), layout);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
  return { layout, tag };
}

async function build(suite: string, work: string): Promise<void> {
  const image = `${join(work, "layout")}:${tag}`;
  const bundle = join(work, "bundle");
  const rootfs = join(bundle, "rootfs");
  const repack = ["repack", "--refresh-bundle", "--image", image, bundle];
  await run("mmdebstrap", ["--variant=minbase", suite, join(work, "base.tar")]);
  await run("umoci", ["init", "--layout", join(work, "layout")]);
  await run("umoci", ["new", "--image", image]);
  await run("umoci", ["raw", "add-layer", "--image", image, join(work, "base.tar")]);
  await run("umoci", ["unpack", "--image", image, bundle]);

  const archives = join(rootfs, "archives");
  await mkdir(archives);
  await run("sh", ["-c", 'cd "$1" && shift && apt-get download "$@"', "sh", archives, ...packages]);
  await run("chroot", [rootfs, "sh", "-c", "dpkg --install /archives/*.deb"]);
  await rm(archives, { recursive: true });
  await run("umoci", repack);

  for (const one of ["doc", "man"]) await rm(join(rootfs, "usr/share", one), { recursive: true });
  await run("umoci", repack);

  const zones = join(rootfs, "usr/share/zoneinfo");
  await rm(zones, { recursive: true, force: true });
  await cp(join(rootfs, "etc"), zones, { recursive: true, verbatimSymlinks: true });
  await run("umoci", repack);
  await run("umoci", ["config", "--image", image, "--config.cmd", "/bin/bash"]);
}

async function debianSuite(): Promise<string> {
  const release = await readFile("/etc/os-release", "utf8");
  const suite = /^VERSION_CODENAME=(\w+)$/m.exec(release)?.[1];
  if (suite === undefined) throw new Error("the image is made on Debian or Ubuntu only");
  return suite;
}

function requireMeans(): void {
  const missing = ["mmdebstrap", "umoci", "apt-get", "chroot"].filter((name) => !hasTool(name));
  if (missing.length > 0) throw new Error(`install ${missing.join(", ")} to make the image`);
  if (process.getuid?.() !== 0) throw new Error("the image is made by root only");
}

async function isThere(path: string): Promise<boolean> {
  return readFile(path).then(
    () => true,
    () => false,
  );
}
