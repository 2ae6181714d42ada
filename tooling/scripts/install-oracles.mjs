#!/usr/bin/env node
// Installs what the oracle tests compare with, when it may: root on Debian or Ubuntu. Elsewhere it says what is missing
// and the one command that brings it. Never fails: a test without its oracle is skipped, and CI refuses skips.
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { findProgram, installCommand, missingOracles, oraclePackages } from "./oracles.mjs";

const missing = missingOracles();
if (missing.length > 0) {
  if (mayInstall()) install(missing);
  const left = missingOracles();
  if (left.length > 0) {
    console.log(`oracle tests are skipped for want of ${left.join(", ")}`);
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
  const names = new Set(commands.map((command) => oraclePackages.get(command) ?? command));
  console.log(`installing ${[...names].join(", ")}`);
  const options = ["-q", "-o", "DPkg::Lock::Timeout=300", "-o", "Acquire::Retries=3"];
  apt([...options, "update"]);
  apt([...options, "install", "--yes", "--no-install-recommends", ...names]);
  // Debian starts the registry as a service. The tests run their own; nobody asked for this one.
  if (names.has("docker-registry") && existsSync("/run/systemd/system")) {
    spawnSync("systemctl", ["disable", "--now", "docker-registry"], { stdio: "ignore" });
  }
}

/** @param {readonly string[]} args */
function apt(args) {
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive", NEEDRESTART_MODE: "a" };
  const { status, stdout, stderr } = spawnSync("apt-get", args, {
    env,
    encoding: "utf8",
    stdio: ["ignore", "pipe", "pipe"],
    timeout: 600_000,
  });
  if (status !== 0) console.log(`apt-get ${args.join(" ")} failed\n${stdout}${stderr}`);
}
