import { accessSync, constants } from "node:fs";
import { tmpdir } from "node:os";
import { type Browser, chromium } from "playwright-core";

const path = "/usr/bin/chromium";

/** Whether the browser is installed; tests that need it are skipped without it. */
export const hasChromium: boolean = isExecutable(path);

if (!hasChromium) process.stderr.write("skipping browser tests: chromium is not installed\n");

/** Starts a browser without a window that talks to nobody by itself. Its profile is a temporary one. */
export function startChromium(): Promise<Browser> {
  return chromium.launch({
    executablePath: path,
    headless: true,
    // Root may not use the sandbox, and containers often have none.
    chromiumSandbox: false,
    timeout: 240_000,
    env: { ...process.env, TMPDIR: tmpdir() } as Record<string, string>,
    args: [
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
    ],
  });
}

function isExecutable(program: string): boolean {
  try {
    accessSync(program, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
