import { type GuestStats, parseGuestStats } from "../protocol/guest-stats.ts";
import { CallBatch, scratchAddress } from "./call-batch.ts";
import type { Caller } from "./caller.ts";
import { fromRoot, openFlags } from "./guest-paths.ts";

const files = ["/proc/uptime", "/proc/stat", "/proc/meminfo"];
const mostBytes = 8192;
const boxSpace = 4;
const newMounts = 0x20000;
const statusBytes = 120;
const howBytes = 24;

/**
 * Asks what a guest uses.
 *
 * @param caller - Carries calls out where the agent is: the box may have no /proc.
 * @throws GuestError `GUEST_PROTOCOL`.
 */
export async function readStats(caller: Caller): Promise<GuestStats> {
  const batch = new CallBatch();
  const goesOn = "always";
  const told = files.map((path) => {
    const file = batch.word();
    const how = batch.numbers(openFlags.read | openFlags.closeOnExec, 0, 0);
    batch.call("openat2", [fromRoot, batch.text(path), how, howBytes], { into: file, goesOn });
    const tells = { address: scratchAddress, length: "result" } as const;
    return batch.call("read", [file, scratchAddress, mostBytes], { tells, goesOn });
  });
  batch.call("setns", [boxSpace, newMounts], { goesOn });
  const tells = { address: scratchAddress, length: statusBytes };
  const disk = batch.call("statfs", [batch.text("/"), scratchAddress], { tells, goesOn });
  const results = await caller.run(batch);
  const texts = told.map((at) => new TextDecoder().decode(results[at]?.bytes));
  const cpus = texts.join("\n").match(/^cpu\d+ /gm)?.length ?? 0;
  return parseGuestStats([diskLine(results[disk]?.bytes), `cpus ${cpus}`, ...texts].join("\n"));
}

/** Of `struct statfs`: type, size of a block, blocks, free ones. */
function diskLine(bytes: Uint8Array = new Uint8Array(0)): string {
  if (bytes.byteLength < statusBytes) return "";
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const [unit, all, free] = [8, 16, 24].map((at) => view.getBigUint64(at, true));
  if (unit === undefined || all === undefined || free === undefined) return "";
  return `disk ${all * unit} ${free * unit}`;
}
