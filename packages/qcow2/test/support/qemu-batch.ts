import { execFile } from "node:child_process";
import { randomUUID } from "node:crypto";
import { type QemuCheck, toQemuCheck, withoutPrivileges } from "./qemu.ts";

/** Checks each image in turn, ten seconds of processor time each, and ends its output, on both streams, with the mark; the status goes before it. */
const script = `mark=$1; shift; ulimit -t 10
for image; do
  timeout 120 qemu-img check --output=json -f qcow2 "$image"
  printf '%s%s' "$?" "$mark"; printf '%s' "$mark" >&2
done`;

/**
 * Checks images that may be hostile with `qemu-img check`: one unprivileged shell for all of them, because starting
 * processes from a large one costs more than the checks do.
 *
 * @returns What it says of each, in order.
 */
export function qemuCheckAll(folder: string, images: readonly string[]): Promise<QemuCheck[]> {
  const mark = randomUUID();
  const [name, ...args] = withoutPrivileges(["sh", "-c", script, "sh", mark, ...images]);
  const options = { cwd: folder, maxBuffer: 2 ** 30 };
  return new Promise((resolve, reject) => {
    execFile(name as string, args, options, (error, stdout, stderr) => {
      if (error !== null) {
        reject(error);
        return;
      }
      const messages = stderr.split(mark);
      const outputs = stdout.split(mark);
      resolve(images.map((_, index) => toCheck(outputs[index] ?? "", messages[index] ?? "")));
    });
  });
}

function toCheck(output: string, messages: string): QemuCheck {
  const [, printed = "", status = ""] = /^(.*?)(\d+)$/s.exec(output) ?? [];
  const isEnded = status !== "" && Number(status) < 124;
  return toQemuCheck(isEnded ? Number(status) : null, printed, messages);
}

/** Lets `qemu-img check -r all` repair images that may be hostile, without privileges. */
export async function qemuRepairAll(folder: string, images: readonly string[]): Promise<void> {
  const repair = `ulimit -t 10; ulimit -f 262144
for image; do timeout 120 qemu-img check -q -r all -f qcow2 "$image"; done >/dev/null 2>&1; true`;
  const [name, ...args] = withoutPrivileges(["sh", "-c", repair, "sh", ...images]);
  await new Promise<void>((resolve, reject) => {
    execFile(name as string, args, { cwd: folder }, (error) => {
      if (error === null) resolve();
      else reject(error);
    });
  });
}
