import { resolve } from "node:path";
import type { ImageReference } from "@box/oci-images";
import type { GraphTarget, OciLayout, RegistryClient, RemoteRepository, Target } from "@box/oras";
import { userCredentials } from "../boxes/credentials.ts";
import type { CommandContext } from "../command/define-command.ts";
import { CliError } from "../errors.ts";
import { registryOptions } from "./registry-options.ts";
import { showWarnings } from "./show-warnings.ts";

/** A place for artifacts: a repository of a registry, or an image layout. */
export interface OpenedRepository extends AsyncDisposable {
  /** Where content is read and written. */
  readonly target: Target & GraphTarget;
  /** The tag or digest that the reference names. */
  readonly selector: string;
  /** The full name. */
  readonly name: string;
  /** Its tags. */
  tags(): AsyncIterable<string>;
}

/** A client for registries by the user's settings. The caller closes it. */
async function openRegistryClient(context: CommandContext): Promise<RegistryClient> {
  const { RegistryClient } = await import("@box/oras");
  const { env, globals, limits } = context;
  const options = await registryOptions(env, limits);
  const progress = await context.progress();
  const insecure = globals.insecureHosts.map(
    (host) => [host, { ...options.hosts?.[host], scheme: "http" as const }] as const,
  );
  return new RegistryClient({
    ...options,
    ...(await showWarnings(context)()),
    hosts: { ...options.hosts, ...Object.fromEntries(insecure) },
    credentials: userCredentials(env),
    onRetry: ({ code, message }) =>
      progress.event({
        type: "warning",
        task: "registry",
        code,
        message: `${message}; trying again`,
      }),
  });
}

/** Opens what a reference to an artifact names, with everything that can be done there. */
export async function openRepository(
  text: string,
  context: CommandContext,
  options: { readonly create?: boolean } = {},
): Promise<OpenedRepository> {
  const { formatImageReference, parseImageReference } = await import("@box/oci-images");
  const reference = parseImageReference(text);
  if (reference.type === "registry") return openRemote(reference, context, formatImageReference);
  if (reference.type === "oci") {
    const path = resolve(context.cwd, reference.path);
    const { OciLayout } = await import("@box/oras");
    const { images: limits } = context.limits;
    const open = options.create ? OciLayout.ensure : OciLayout.open;
    const layout = await open(path, { limits });
    return {
      target: layout,
      selector: reference.digest ?? reference.tag ?? "latest",
      name: formatImageReference({ ...reference, path }),
      tags: () => namesOfLayout(layout),
      [Symbol.asyncDispose]: async () => {},
    };
  }
  throw new CliError({
    code: "CLI_INVALID_ARGUMENT",
    message: `cannot keep artifacts in ${text}`,
    hint: "artifacts are in registries (HOST/NAME:TAG) and image layouts (oci:DIR:TAG)",
  });
}

async function openRemote(
  reference: ImageReference & { type: "registry" },
  context: CommandContext,
  format: (reference: ImageReference) => string,
): Promise<OpenedRepository> {
  const { RemoteRepository } = await import("@box/oras");
  const client = await openRegistryClient(context);
  const target: RemoteRepository = new RemoteRepository(
    client,
    reference.host,
    reference.repository,
  );
  return {
    target,
    selector: reference.digest ?? reference.tag ?? "latest",
    name: format(reference),
    tags: () => target.tags({ signal: context.signal }),
    [Symbol.asyncDispose]: () => client.close(),
  };
}

async function* namesOfLayout(layout: OciLayout): AsyncGenerator<string, void, undefined> {
  const { namesOf } = await import("@box/oras");
  for (const entry of (await layout.index()).manifests) {
    const [name] = namesOf(entry);
    if (name !== undefined) yield name;
  }
}
