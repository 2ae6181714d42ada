import type { Paint } from "../../output/paint.ts";
import { formatFields, formatSize, formatTable } from "../../output/table.ts";
import type { CheckFinding, DiskCheckOutput } from "./schemas.ts";

const shownFindings = 20;

/** The verdict first, then what it rests on. */
export function text(output: DiskCheckOutput, paint: Paint): string {
  const { findings, clusters, repaired, imageEndOffset } = output;
  const fields = formatFields([
    ["file", output.file],
    ["verdict", verdictOf(output)],
    ...(repaired === undefined ? [] : [["repaired", repairedText(repaired)] as [string, string]]),
    ["clusters", clustersText(clusters)],
    ["image end", formatSize(imageEndOffset)],
  ]);
  if (findings.length === 0) return fields;
  const shown = findings.slice(0, shownFindings);
  const more = findings.length - shown.length;
  return [
    fields,
    "",
    formatTable(["SEVERITY", "CODE", "OFFSET", "MESSAGE"], shown.map(rowOf)),
    ...(more === 0 ? [] : [paint.dim(`and ${more} more; --format json lists them`)]),
  ].join("\n");
}

function verdictOf({
  verdict,
  errors,
  leaks,
  clusterSizeBytes,
  isComplete,
}: DiskCheckOutput): string {
  const lost = `${count(leaks, "cluster")} leaked (${formatSize(leaks * clusterSizeBytes)})`;
  if (verdict === "clean") return "clean";
  if (verdict === "leaking") return `sound, but ${lost}`;
  const parts = [count(errors, "error"), ...(leaks > 0 ? [lost] : [])];
  return `corrupt: ${parts.join(", ")}${isComplete ? "" : "; not every table could be read"}`;
}

function repairedText({ corruptions, leaks }: { corruptions: number; leaks: number }): string {
  if (corruptions === 0 && leaks === 0) return "nothing";
  return `${count(corruptions, "error")}, ${count(leaks, "leak")}`;
}

function clustersText({ total, allocated, fragmented, compressed }: DiskCheckOutput["clusters"]) {
  const share = (part: number) =>
    allocated === 0 ? 0 : Math.round((part / allocated) * 1000) / 10;
  return `${allocated} of ${total} in use, ${share(fragmented)} % fragmented, ${share(compressed)} % compressed`;
}

function rowOf({ severity, code, offset, message }: CheckFinding): string[] {
  return [severity, code, String(offset), message];
}

function count(amount: number, noun: string): string {
  return `${amount} ${noun}${amount === 1 ? "" : "s"}`;
}
