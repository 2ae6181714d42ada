import { type BoxEvent, Runtime } from "@box/runtime";
import type { CommandContext } from "../command/define-command.ts";
import { openEngine } from "../machines/open-engine.ts";
import { registryOptions } from "../registries/registry-options.ts";
import { showWarnings } from "../registries/show-warnings.ts";
import { userCredentials } from "./credentials.ts";
import { interpretSchemas } from "./interpret-schemas.ts";

/** Opens the home of a command. The caller gives it back with `await using`. */
export async function openRuntime(context: CommandContext): Promise<Runtime> {
  interpretSchemas();
  const { home, globals, limits, env, signal } = context;
  const credentials = userCredentials(env);
  const { insecureHosts } = globals;
  const warnings = showWarnings(context);
  return Runtime.open({
    home,
    signal,
    engine: openEngine(context),
    insecureHosts,
    credentials,
    registry: async () => ({ ...(await registryOptions(env, limits)), ...(await warnings()) }),
    limits: limits.images,
    layerLimits: limits.layers,
  });
}

/** What a command passes to an operation: its signal, and its renderer as listener. */
export async function followedBy(
  context: CommandContext,
): Promise<{ readonly signal: AbortSignal; readonly onEvent: (event: BoxEvent) => void }> {
  const progress = await context.progress();
  return { signal: context.signal, onEvent: (event) => progress.event(event) };
}
