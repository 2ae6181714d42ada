import { resolve } from "node:path";
import { describeBox } from "../../boxes/describe-box.ts";
import { followedBy, openRuntime } from "../../boxes/open-runtime.ts";
import type { CommandContext } from "../../command/define-command.ts";
import { parsePort } from "../../machines/parse-port.ts";
import type { PreparedOutput } from "../create/schemas.ts";
import type { UnpackInput } from "./schemas.ts";

/** Makes the box. */
export async function run(
  { file, name, publish, net = false }: UnpackInput,
  context: CommandContext,
): Promise<PreparedOutput> {
  const forwards = publish?.map(parsePort);
  await using runtime = await openRuntime(context);
  return await runtime.boxes.import(resolve(context.cwd, file), {
    ...(name === undefined ? {} : { name }),
    run: {
      network: net ? "user" : "none",
      ...(forwards === undefined ? {} : { forwards }),
    },
    ...(await followedBy(context)),
  });
}

/** The box for people. */
export function text({ box }: PreparedOutput): string {
  return describeBox(box);
}

/** Its name. */
export function identifiers({ box }: PreparedOutput): readonly string[] {
  return [box.name];
}
