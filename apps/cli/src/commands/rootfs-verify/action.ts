import { kindOutcomes } from "@box/errors";
import { verifyExt4 } from "@box/ext4";
import { openRuntime } from "../../boxes/open-runtime.ts";
import type { CommandContext } from "../../command/define-command.ts";
import { visible } from "../../output/visible.ts";
import { withDisk } from "../../rootfs/open-rootfs.ts";
import type { RootfsVerifyInput, VerifiedDisk } from "./schemas.ts";

/** Verifies one disk, or every base of the home. */
export async function run(
  input: RootfsVerifyInput,
  context: CommandContext,
): Promise<readonly VerifiedDisk[]> {
  const { file } = input;
  if (file === undefined) return verifyBases(context);
  const { signal } = context;
  const { findings } = await withDisk(file, input, context, (disk) => verifyExt4(disk, { signal }));
  return [{ file, isSound: findings.length === 0, findings }];
}

/** One line for each disk and each finding. */
export function text(disks: readonly VerifiedDisk[]): string {
  return disks
    .flatMap(({ file, isSound, findings }) => [
      `${visible(file)}: ${isSound ? "sound" : "damaged"}`,
      ...findings.map(({ code, message }) => `  ${code}: ${visible(message)}`),
    ])
    .join("\n");
}

/** The damaged disks. */
export function identifiers(disks: readonly VerifiedDisk[]): readonly string[] {
  return disks.filter(({ isSound }) => !isSound).map(({ file }) => file);
}

/** That of something corrupt when a disk is damaged. */
export function exitCode(disks: readonly VerifiedDisk[]): number {
  return disks.every(({ isSound }) => isSound) ? 0 : kindOutcomes.corrupt.exitCode;
}

async function verifyBases(context: CommandContext): Promise<VerifiedDisk[]> {
  await using runtime = await openRuntime(context);
  const disks: VerifiedDisk[] = [];
  const { bases } = runtime;
  for (const { key, path, digest } of await bases.listRecorded()) {
    const found = await bases.verify(key, { signal: context.signal });
    if (found === undefined) continue;
    const isThere = (await bases.find(key)) !== undefined;
    const what = isThere
      ? "its content is not as recorded"
      : "no file of its recorded size is there";
    const message = `${what}; make it again with: box rootfs restore NAME`;
    const details = { key, recordedDigest: digest };
    const finding = { code: "ROOTFS_BASE_DIGEST_MISMATCH", message, details };
    disks.push({ file: path, isSound: found, findings: found ? [] : [finding] });
  }
  return disks;
}
