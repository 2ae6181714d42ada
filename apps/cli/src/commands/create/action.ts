import { parseImageReference } from "@box/oci-images";
import { parseRestartPolicy } from "@box/runtime";
import { chooseGuest } from "../../boxes/choose-guest.ts";
import { describeBox } from "../../boxes/describe-box.ts";
import { parseLabels } from "../../boxes/labels.ts";
import { followedBy, openRuntime } from "../../boxes/open-runtime.ts";
import type { CommandContext } from "../../command/define-command.ts";
import { parseSize } from "../../command/size.ts";
import { programSettings } from "../../machines/program-input.ts";
import { refuseVolumes } from "../../machines/refuse-volumes.ts";
import type { CreateInput, PreparedOutput } from "./schemas.ts";

/** Makes the box. */
export async function run(input: CreateInput, context: CommandContext): Promise<PreparedOutput> {
  const {
    ref,
    name,
    guestRootfs,
    diskSize,
    pull,
    label = [],
    rm = false,
    restart,
    net = false,
  } = input;
  const diskSizeBytes = diskSize === undefined ? undefined : parseSize(diskSize, "--disk-size");
  refuseVolumes(input.volume);
  // A reference that is none is told before there is a home.
  parseImageReference(ref);
  const guest = guestRootfs === undefined ? undefined : chooseGuest(guestRootfs);
  const program = programSettings(input);
  // A policy that is none is told before there is a home.
  const policy = restart === undefined ? undefined : parseRestartPolicy(restart);
  await using runtime = await openRuntime(context);
  const { box, operation } = await runtime.boxes.create({
    image: ref,
    ...(name === undefined ? {} : { name }),
    ...(guest === undefined ? {} : { guestRootfs: guest }),
    ...(diskSizeBytes === undefined ? {} : { diskSizeBytes }),
    ...(pull === undefined ? {} : { pull }),
    labels: parseLabels(label),
    autoRemove: rm,
    run: {
      network: net ? "user" : "none",
      ...program,
      ...(input.entrypoint === undefined ? {} : { usesEntrypoint: true }),
      ...(policy === undefined ? {} : { restart: policy }),
    },
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
