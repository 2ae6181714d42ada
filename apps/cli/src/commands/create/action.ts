import type { GuestRootfsChoice } from "@box/runtime";
import { describeBox } from "../../boxes/describe-box.ts";
import { followedBy, openRuntime } from "../../boxes/open-runtime.ts";
import type { CommandContext } from "../../command/define-command.ts";
import { parseSize } from "../../command/size.ts";
import type { CreateInput, PreparedOutput } from "./schemas.ts";

/** Makes the box. */
export async function run(input: CreateInput, context: CommandContext): Promise<PreparedOutput> {
  const { ref, name, guestRootfs, diskSize, pull } = input;
  const diskSizeBytes = diskSize === undefined ? undefined : parseSize(diskSize, "--disk-size");
  await using runtime = await openRuntime(context);
  const { box, operation } = await runtime.boxes.create({
    image: ref,
    ...(name === undefined ? {} : { name }),
    ...(guestRootfs === undefined ? {} : { guestRootfs: chooseGuest(guestRootfs) }),
    ...(diskSizeBytes === undefined ? {} : { diskSizeBytes }),
    ...(pull === undefined ? {} : { pull }),
    ...(await followedBy(context)),
  });
  return { box, operation };
}

/** The box for people. */
export function text({ box }: PreparedOutput): string {
  return describeBox(box);
}

/** Its name. */
export function identifiers({ box }: PreparedOutput): readonly string[] {
  return [box.name];
}

function chooseGuest(text: string): GuestRootfsChoice {
  return text === "none" ? { type: "initramfs" } : { type: "disk", reference: text };
}
