// The programs that the tests compare with, and where Debian keeps them.
import { accessSync, constants, globSync, realpathSync, statSync } from "node:fs";
import { join } from "node:path";

/** Where a kernel is unpacked for the tests, so that none need be installed. */
export const kernelFolder = join(import.meta.dirname, "../../.cache/kernel");

/** Where the image of Debian is that tests of boxes run. */
const debianImages = join(import.meta.dirname, "../../.cache/debian-image");

/** The name of what is a file and no program: the kernel that boots virtual machines. */
export const kernel = "/boot/vmlinuz-*cloud*";

/** @type {ReadonlyMap<string, string>} The Debian package of each program, and of the kernel. */
export const oraclePackages = new Map([
  ["qemu-img", "qemu-utils"],
  ["qemu-io", "qemu-utils"],
  ["e2fsck", "e2fsprogs"],
  ["mke2fs", "e2fsprogs"],
  ["debugfs", "e2fsprogs"],
  ["dumpe2fs", "e2fsprogs"],
  ["skopeo", "skopeo"],
  ["umoci", "umoci"],
  ["mmdebstrap", "mmdebstrap"],
  ["docker-registry", "docker-registry"],
  ["strace", "strace"],
  ["script", "bsdutils"],
  ["mount", "mount"],
  ["python3", "python3"],
  ["readelf", "binutils"],
  ["setpriv", "util-linux"],
  ["tar", "tar"],
  ["gzip", "gzip"],
  ["zstd", "zstd"],
  ["bash", "bash"],
  ["zsh", "zsh"],
  ["fish", "fish"],
  ["chromium", "chromium"],
  ["qemu-system-x86_64", "qemu-system-x86"],
  ["musl-gcc", "musl-tools"],
  [kernel, process.arch === "arm64" ? "linux-image-cloud-arm64" : "linux-image-cloud-amd64"],
]);

/** Folders that an ordinary user's PATH may leave out. */
const systemFolders = ["/usr/local/sbin", "/usr/sbin", "/sbin"];

/**
 * Finds a program, or the kernel, as the tests do.
 *
 * @param {string} command
 * @returns {string | undefined} Its path, links resolved.
 */
export function findProgram(command) {
  if (command === kernel)
    return globSync([`${kernelFolder}${kernel}`, kernel])
      .sort()
      .at(-1);
  const folders = [...(process.env["PATH"] ?? "").split(":").filter(Boolean), ...systemFolders];
  for (const folder of folders) {
    try {
      accessSync(join(folder, command), constants.X_OK);
      return realpathSync(join(folder, command));
    } catch {
      // Not there: the next folder may have it.
    }
  }
  return undefined;
}

/** What a virtual machine needs here: of the oracles, the ones that are more than something to compare with. */
export const machineParts = ["qemu-system-x86_64", "musl-gcc", "setpriv", kernel];

/**
 * @param {readonly string[]} [commands] All oracles unless given.
 * @returns {string[]} Those that this machine lacks.
 */
export function missingOracles(commands = [...oraclePackages.keys()]) {
  return commands.filter((command) => findProgram(command) === undefined);
}

/**
 * The one command that brings the named programs on Debian and Ubuntu.
 *
 * @param {readonly string[]} commands
 * @returns {string}
 */
export function installCommand(commands) {
  const names = [...new Set(commands.map((command) => oraclePackages.get(command) ?? command))];
  return `sudo apt-get install --no-install-recommends ${names.sort().join(" ")}`;
}

/**
 * What the results of tests depend on besides the sources: the Node.js, the oracles and whether tests run as root.
 *
 * @returns {Record<string, string>}
 */
export function describeMachine() {
  /** @type {Record<string, string>} */
  const facts = {
    node: process.version,
    platform: `${process.platform}-${process.arch}`,
    user: process.getuid?.() === 0 ? "root" : "ordinary",
  };
  for (const command of oraclePackages.keys()) {
    const path = findProgram(command);
    if (path === undefined) facts[command] = "absent";
    else {
      const { size, mtimeMs } = statSync(path);
      facts[command] = `${path} ${size} ${Math.trunc(mtimeMs)}`;
    }
  }
  facts["image of Debian"] = globSync(join(debianImages, "*/index.json")).join(" ") || "absent";
  return facts;
}
