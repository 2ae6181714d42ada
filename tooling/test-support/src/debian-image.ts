import { cp, mkdir, mkdtemp, readFile, rename, rm } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { hasTool, run } from "./oracle-tools.ts";

const repository = resolve(import.meta.dirname, "../../..");
/** Leaf packages and what they need besides the smallest Debian. */
const packages = ["less", "libncursesw6", "nano"];
const tag = "debian";

/** An image of Debian that was made. */
export interface DebianImage {
  /** A layout made by umoci. */
  readonly layout: string;
  /** The image's tag in it. */
  readonly tag: string;
}

/** The image if it was made, as `npm test` does on Debian as root. */
export async function findDebianImage(): Promise<DebianImage | undefined> {
  const layout = layoutOf(await debianSuite());
  if (layout === undefined || !(await isThere(join(layout, "index.json")))) return undefined;
  return { layout, tag };
}

/**
 * Makes an image of this machine's release of Debian with four layers: the smallest system, three packages more, the
 * documentation taken away, and a folder that was replaced. It is kept in `.cache` and made once.
 */
export async function debianImage(): Promise<DebianImage> {
  const suite = await debianSuite();
  const layout = layoutOf(suite);
  if (suite === undefined || layout === undefined) {
    throw new Error("the image is made on Debian or Ubuntu only");
  }
  if (await isThere(join(layout, "index.json"))) return { layout, tag };
  requireMeans();
  const folder = dirname(layout);
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

async function debianSuite(): Promise<string | undefined> {
  const release = await readFile("/etc/os-release", "utf8").catch(() => "");
  return /^VERSION_CODENAME=(\w+)$/m.exec(release)?.[1];
}

function layoutOf(suite: string | undefined): string | undefined {
  return suite === undefined ? undefined : join(repository, ".cache", "debian-image", suite);
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
