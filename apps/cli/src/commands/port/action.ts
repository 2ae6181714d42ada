import { openRuntime } from "../../boxes/open-runtime.ts";
import type { CommandContext } from "../../command/define-command.ts";
import { formatAddress, parsePort } from "../../machines/parse-port.ts";
import type { PortInput, PortOutput } from "./schemas.ts";

/** Forwards more ports, and tells which are. */
export async function run(
  { name, publish = [] }: PortInput,
  context: CommandContext,
): Promise<PortOutput> {
  const added = publish.map(parsePort);
  await using runtime = await openRuntime(context);
  const { signal } = context;
  return await runtime.boxes.forward(name, added, { signal });
}

/** One a line, as users of docker know it. */
export function text(forwards: PortOutput): string {
  return forwards
    .map(
      ({ hostAddress, hostPort, guestPort }) =>
        `${guestPort}/tcp -> ${formatAddress(hostAddress, hostPort)}`,
    )
    .join("\n");
}

/** Where they are listened on. */
export function identifiers(forwards: PortOutput): readonly string[] {
  return forwards.map(({ hostAddress, hostPort }) => formatAddress(hostAddress, hostPort));
}
