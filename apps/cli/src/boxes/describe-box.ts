import { type BoxDetails, programWords } from "@box/runtime";
import { formatFields, formatSize } from "../output/table.ts";
import { formatLabels } from "./labels.ts";

/** A box for people: what it is made from, where its disks are, what it runs. */
export function describeBox(box: BoxDetails): string {
  const { guestRootfs, imageConfig, disks } = box;
  const fields: [string, string][] = [
    ["name", box.name],
    ["id", box.id],
    ["state", box.state],
    ["image", box.image.reference],
    ...optional("digest", box.image.digest),
    ["guest rootfs", describeGuest(guestRootfs)],
    ...diskFields("disk", disks.user),
    ...diskFields("guest disk", disks.guest),
    ...optional("entrypoint", words(imageConfig?.entrypoint)),
    ...optional("command", words(imageConfig?.command)),
    ...environmentFields("env", imageConfig?.environment),
    ...environmentFields(
      "guest env",
      guestRootfs.type === "disk" ? guestRootfs.environment : undefined,
    ),
    ...optional("labels", formatLabels(box.labels) || undefined),
    ...(box.autoRemove ? [["auto-remove", "when it has stopped"] as [string, string]] : []),
    ["memory", `${box.run.memoryMiB} MiB, ${box.run.cpus} processors`],
    ...(box.run.network === "user" ? [networkField] : []),
    ...optional("program", words(programOf(box))),
    ...(box.run.restart.type === "no"
      ? []
      : [["restart", describeRestart(box)] as [string, string]]),
    ...optional("machine", box.machine && `process ${box.machine.process.pid}`),
    ...optional("last end", box.exit && describeExit(box.exit)),
    ["created", box.createdAt],
    ...optional("error", box.error && `${box.error.code}: ${box.error.message}`),
  ];
  return formatFields(fields);
}

/** What it runs for, when it runs for something. */
function programOf(box: BoxDetails): readonly string[] | undefined {
  const { command, usesEntrypoint = false } = box.run;
  return usesEntrypoint ? programWords(box, command) : command;
}

const networkField: [string, string] = ["network", "user: outwards, this host's loopback too"];

function describeRestart({ run: { restart }, restarts }: BoxDetails): string {
  const most = restart.type === "on-failure" ? restart.maxRetries : undefined;
  const limit = most === undefined ? "" : `, at most ${most} times in a row`;
  return `${restart.type}${limit}${restarts === 0 ? "" : ` (${restarts} by now)`}`;
}

function describeExit({ reason, exitCode }: NonNullable<BoxDetails["exit"]>): string {
  return exitCode === undefined ? reason : `${reason}, exit code ${exitCode}`;
}

function describeGuest(guest: BoxDetails["guestRootfs"]): string {
  if (guest.type === "initramfs") return "initramfs, no second disk";
  return guest.reference ?? "box's own bootstrap image";
}

function diskFields(label: string, disk: BoxDetails["disks"]["user"]): [string, string][] {
  if (disk === undefined) return [];
  return [
    [label, `${disk.path} (${formatSize(disk.virtualSizeBytes)})`],
    ...optional("  on base", disk.base?.path),
  ];
}

function environmentFields(
  label: string,
  entries: readonly (readonly [string, string])[] | undefined,
): [string, string][] {
  return (entries ?? []).map(([name, value]) => [label, `${name}=${value}`]);
}

function words(list: readonly string[] | undefined): string | undefined {
  return list === undefined || list.length === 0 ? undefined : list.join(" ");
}

function optional(label: string, value: string | undefined): [string, string][] {
  return value === undefined ? [] : [[label, value]];
}
