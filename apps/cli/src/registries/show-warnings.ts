import type { RegistryClientOptions } from "@box/oras";
import type { CommandContext } from "../command/define-command.ts";

/** Shows what registries warn their users of; each text once, however many clients share the result. */
export function showWarnings(
  context: Pick<CommandContext, "progress">,
): () => Promise<Pick<RegistryClientOptions, "onWarning">> {
  const shown = new Set<string>();
  return async () => {
    const progress = await context.progress();
    return {
      onWarning: ({ host, text }) => {
        const message = `${host} says: ${text}`;
        if (shown.has(message)) return;
        shown.add(message);
        progress.event({ type: "warning", task: "registry", message });
      },
    };
  };
}
