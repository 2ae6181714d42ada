#!/usr/bin/env node
// Installs what the oracle tests compare with, when it may: root on Debian or Ubuntu. Elsewhere it says what is missing
// and the one command that brings it. Never fails: a test without its oracle is skipped, and CI refuses skips.
// `--machines` brings only what a virtual machine needs.
import { spawnSync } from "node:child_process";
import { existsSync, globSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import {
  findProgram,
  installCommand,
  kernel,
  kernelFolder,
  machineParts,
  missingOracles,
  oraclePackages,
} from "./oracles.mjs";

const isForMachines = process.argv.includes("--machines");
const wanted = isForMachines ? machineParts : undefined;
const missing = missingOracles(wanted);
if (missing.length > 0) {
  if (mayInstall()) install(missing);
  const left = missingOracles(wanted);
  if (left.length > 0) {
    const what = isForMachines ? "no virtual machine is started" : "oracle tests are skipped";
    console.log(`${what} for want of ${left.join(", ")}`);
    console.log(`  on Debian or Ubuntu: ${installCommand(left)}`);
  }
}

function mayInstall() {
  if (process.getuid?.() !== 0 || findProgram("apt-get") === undefined) return false;
  const release = existsSync("/etc/os-release") ? readFileSync("/etc/os-release", "utf8") : "";
  return /^(ID|ID_LIKE)=.*\b(debian|ubuntu)\b/m.test(release);
}

/** @param {readonly string[]} commands */
function install(commands) {
  const programs = commands.filter((command) => command !== kernel);
  const names = new Set(programs.map((command) => oraclePackages.get(command) ?? command));
  const hasKernel = programs.length < commands.length;
  console.log(`installing ${[...names, ...(hasKernel ? ["a kernel"] : [])].join(", ")}`);
  const options = ["-q", "-o", "DPkg::Lock::Timeout=300", "-o", "Acquire::Retries=3"];
  apt([...options, "update"]);
  if (names.size > 0) apt([...options, "install", "--yes", "--no-install-recommends", ...names]);
  if (hasKernel) unpackKernel();
  // Debian starts the registry as a service. The tests run their own; nobody asked for this one.
  if (names.has("docker-registry") && existsSync("/run/systemd/system")) {
    spawnSync("systemctl", ["disable", "--now", "docker-registry"], { stdio: "ignore" });
  }
}

/** Unpacks the newest cloud kernel beside the tests: installing it would change what this machine boots. */
function unpackKernel() {
  mkdirSync(kernelFolder, { recursive: true });
  const scratch = mkdtempSync(join(kernelFolder, "fetch-"));
  try {
    const depends = run("apt-cache", ["depends", "--important", oraclePackages.get(kernel) ?? ""]);
    const name = /Depends: (linux-image-\S+)/.exec(depends)?.[1];
    if (name === undefined) return;
    run("apt-get", ["-q", "download", name], scratch);
    for (const file of globSync("*.deb", { cwd: scratch })) {
      run("dpkg-deb", ["--extract", join(scratch, file), kernelFolder]);
    }
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

/** @param {readonly string[]} args */
function apt(args) {
  run("apt-get", args);
}

/**
 * @param {string} program
 * @param {readonly string[]} args
 * @param {string} [cwd]
 */
function run(program, args, cwd) {
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive", NEEDRESTART_MODE: "a" };
  const { status, stdout, stderr } = spawnSync(program, args, {
    env,
    cwd,
    encoding: "utf8",
    stdio: ["ignore", "pipe", "pipe"],
    timeout: 600_000,
  });
  if (status !== 0) console.log(`${program} ${args.join(" ")} failed\n${stdout}${stderr}`);
  return stdout;
}
